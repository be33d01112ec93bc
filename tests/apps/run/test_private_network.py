"""`network: private`: a network of its own for each instance, where everyone has port 3000."""

from __future__ import annotations

from pathlib import Path

import pytest

from lb.apps.run.http_question import StartQuestion, ask
from lb.apps.run.instance import LaunchError, ladder
from lb.apps.run.isolation import IsolationLadder, probe
from lb.apps.run.order import Isolation, Network
from lb.apps.run.start import start_instance
from lb.apps.run.start_check import StartCheck
from tests.apps.run.conftest import Instances
from tests.apps.run.making import order, project, survivors
from tests.apps.run.needs import need_private_network
from tests.apps.run.test_start_check import SERVER

pytestmark = pytest.mark.long
CHECK = StartCheck("shop.example.com", timeout=15)


async def test_two_apps_on_port_3000_run_side_by_side(instances: Instances, tmp_path: Path, rung: Isolation) -> None:
    need_private_network()
    project(tmp_path, app_py=SERVER)
    command = "python app.py 0.0.0.0 3000"
    for name in ("web1", "web2"):
        wanted = order(tmp_path, command, isolation=rung, network=Network.PRIVATE, name=name)
        instances.started.append(await start_instance(wanted, instances.root, CHECK))
    first, second = instances.started
    assert first.endpoint != second.endpoint
    for running in instances.started:
        assert (await ask(StartQuestion(running.endpoint, "/", "shop.example.com", "http", 5))).status == 204
        assert (await running.terminate(grace=3)).signal != 9
        assert survivors(running) == []


async def test_without_pasta_the_command_that_adds_it_is_said(
    instances: Instances, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ladder.cache_clear()
    try:
        monkeypatch.setattr("lb.apps.run.instance.probe", _without_pasta)
        with pytest.raises(LaunchError, match=r"network: private needs pasta.*apt-get install -y passt"):
            await instances.start(order(tmp_path, "sleep 1", network=Network.PRIVATE))
    finally:
        ladder.cache_clear()


def _without_pasta(wanted: Isolation) -> IsolationLadder:
    return probe(wanted, lambda _: (1, ""), lambda _: None)
