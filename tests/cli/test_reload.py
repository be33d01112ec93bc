"""`lb reload`: what it does, and what it says when it does nothing."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import pytest

from tests.e2e.harness.client import get
from tests.e2e.harness.door import FrontDoor, configure, run_lb
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.scripts import Echo, echo

pytestmark = pytest.mark.long


def test_a_changed_file_is_in_effect_when_the_command_ends(tmp_path: Path) -> None:
    # spec: R2
    with (
        Instance(echo("one")) as one,
        Instance(echo("two")) as two,
        FrontDoor(configure(one.address), tmp_path) as door,
        door.connect() as client,
    ):
        assert Echo(client.ask(get())).instance == "one"
        rewrite(door, apps=configure(two.address)["apps"])
        ended = run_lb("reload", "lb.yaml", cwd=tmp_path)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "lb.yaml is in effect\n", "")
        assert Echo(client.ask(get())).instance == "two"
        again = run_lb("reload", "lb.yaml", cwd=tmp_path)
        assert (again.returncode, again.stdout) == (0, "nothing changed in lb.yaml\n")
        log = [line for line in door.stderr if "reloaded: " in line]
        assert "the changed configuration is in effect" in log[0]
        assert "the configuration has not changed" in log[1]


def rewrite(door: FrontDoor, **changed: object) -> Path:
    file = door.directory / "lb.yaml"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changed}, indent=1))
    return file


def test_a_bad_file_is_refused_as_lb_check_refuses_it(tmp_path: Path) -> None:
    # spec: R1, R2, R5
    with Instance(echo()) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        file = rewrite(door, wrokers=2, listen={"http": "127.0.0.1:0", "htps": ":443"}, timeouts={"idle": "-1s"})
        checked = run_lb("check", str(file))
        ended = run_lb("reload", str(file))
        assert (ended.returncode, checked.returncode) == (78, 78)
        problems = ended.stderr.splitlines()
        assert problems[:-1] == checked.stderr.splitlines()[:-1]
        assert len(problems) > 3
        assert problems[-1] == f"lb: {file} was not applied; the previous configuration stays in effect"
        assert door.ask(get()).status == 200


def test_an_address_that_is_taken_is_no_mistake_in_the_file(tmp_path: Path) -> None:
    # spec: R5
    with Instance(echo()) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            file = rewrite(door, listen={"http": f"127.0.0.1:{taken.getsockname()[1]}"})
            ended = run_lb("reload", str(file))
        assert ended.returncode == 1
        assert "the port is in use" in ended.stderr
        assert door.ask(get()).status == 200


def test_many_at_once_all_get_an_answer(tmp_path: Path) -> None:
    # spec: R2
    with Instance(echo()) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        codes: list[int] = []
        file = str(door.directory / "lb.yaml")
        threads = [threading.Thread(target=lambda: codes.append(run_lb("reload", file).returncode)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert codes == [0] * 6


@pytest.mark.parametrize("command", ["reload", "upgrade", "status"])
def test_nothing_runs(tmp_path: Path, command: str) -> None:
    # spec: R5
    file = tmp_path / "shop.yaml"
    ended = run_lb(command, str(file))
    assert (ended.returncode, ended.stderr) == (
        1,
        f"lb: {file} does not exist, and no service runs for it\n",
    )
    file.touch()
    ended = run_lb(command, str(file))
    assert ended.returncode == 1
    assert "is not running, or belongs to another user" in ended.stderr
    assert "lb serve" in ended.stderr
