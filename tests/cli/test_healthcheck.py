"""`lb healthcheck`: 0 while the service serves, 1 in every other state, each with its reason."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.e2e.harness.client import get
from tests.e2e.harness.door import FrontDoor, configure, run_lb
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.scripts import hang
from tests.e2e.harness.waiting import wait_for

pytestmark = pytest.mark.long


def test_it_follows_the_service(tmp_path: Path) -> None:
    file = tmp_path / "lb.yaml"
    with Instance(hang) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        done = run_lb("healthcheck", str(file))
        assert (done.returncode, done.stdout, done.stderr) == (0, "ready\n", "")
        client = door.connect()
        client.send(get("/slow"))
        wait_for(lambda: instance.open_connections == 1, "the request")
        door.signal(signal.SIGTERM)
        wait_for(lambda: run_lb("healthcheck", str(file)).returncode == 1, "the drain")
        assert run_lb("healthcheck", str(file)).stderr == "lb: the service is draining\n"
        client.reset()
        assert door.wait_end() == 0
    done = run_lb("healthcheck", str(file))
    assert done.returncode == 1
    assert "is not running" in done.stderr
