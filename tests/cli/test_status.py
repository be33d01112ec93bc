"""`lb status`: the running service in words and as JSON, and what is said when there is none."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lb.cli.main import main
from lb.cli.status import describe
from lb.control.api import control_socket
from tests.e2e.harness.door import FrontDoor, configure, run_lb
from tests.e2e.harness.waiting import wait_for

pytestmark = pytest.mark.long

ANSWER = {
    "version": "1.2",
    "engine": "compiled",
    "state": "ready",
    "supervisor": 100,
    "uptime": 93_784,
    "listeners": ["http://127.0.0.1:80", "https://[::]:443"],
    "workers": [
        {"slot": 0, "pid": 101, "since": 1000, "restarts": 0, "ready": True},
        {"slot": 1, "pid": 102, "since": 1115, "restarts": 2, "ready": False},
        {"slot": 2, "pid": 0, "since": 1115, "restarts": 1, "ready": False},
    ],
    "apps": {
        "shop": {
            "domains": ["shop.example.com", "www.example.com"],
            "production": {"balance": "round_robin", "instances": ["127.0.0.1:1", "unix:/a"]},
            "staging": None,
        }
    },
}


def test_in_words() -> None:
    assert list(describe(ANSWER, 1120.0)) == [
        "\x1b[1mready\x1b[0m for 1 d 2 h (process 100, lb 1.2, compiled engine)",
        "listening on http://127.0.0.1:80",
        "listening on https://[::]:443",
        "workers",
        "  1  process 101 serves, 2 min",
        "  2  process 102 starts, 5 s, replaced 2 times",
        "  3  waits for its next start, replaced 1 time",
        "app \x1b[1mshop\x1b[0m: shop.example.com, www.example.com",
        "  production  round_robin: 127.0.0.1:1, unix:/a",
    ]


def test_what_is_less_than_it_could_be() -> None:
    lesser = {"engine": "python", "loop": "asyncio", "openssl_access": "none"}
    lines = list(describe({**ANSWER, **lesser}, 1120.0))
    assert [line.partition(": ")[2].partition(":")[0] for line in lines if "warning" in line] == [
        "running without the compiled engine",
        "running without uvloop",
        "lb cannot call this Python's OpenSSL",
    ]


def test_instances_that_get_no_requests() -> None:
    def one(state: str, address: str | None = None, error: str | None = None) -> dict[str, object]:
        return {"state": state, "address": address, "since": 1000, "error": error}

    health = {
        "127.0.0.1:1": [one("healthy")],
        "unix:/a": [one("unhealthy", error="GET / answered 500")],
        "web:80": [one("healthy", "10.0.0.1"), one("starting", "10.0.0.2")],
        "api:80": [one("absent", error="Name or service not known")],
    }
    production = {"balance": "round_robin", "instances": list(health), "health": health}
    apps: dict[str, object] = {"shop": {"domains": [], "production": production, "staging": None}}
    assert list(describe({**ANSWER, "apps": apps}, 1120.0))[-3:] == [
        "    unix:/a is \x1b[31munhealthy\x1b[0m for 2 min: GET / answered 500",
        "    web:80 (10.0.0.2) is \x1b[31mstarting\x1b[0m for 2 min: not checked yet",
        "    api:80 has no address: Name or service not known",
    ]


def test_of_a_running_service(tmp_path: Path) -> None:
    # spec: R2
    config = configure("127.0.0.1:1", workers=2, admin="127.0.0.1:0")
    with FrontDoor(config, tmp_path) as door:
        file = tmp_path / "lb.yaml"
        shown = run_lb("status", file.name, cwd=tmp_path)
        assert (shown.returncode, shown.stderr) == (0, "")
        assert f"listening on http://127.0.0.1:{door.http}" in shown.stdout
        asked = json.loads(run_lb("status", str(file), "--json").stdout)
        assert asked["state"] == "ready"
        assert asked["supervisor"] == door.pid
        workers = {worker["pid"] for worker in asked["workers"]}
        assert workers < set(door.workers)
        os.kill(min(workers), signal.SIGKILL)
        wait_for(lambda: len(door.workers) == 3 and min(workers) not in door.workers, "a new worker")
        asked = json.loads(run_lb("status", str(file), "--json").stdout)
        assert sum(worker["restarts"] for worker in asked["workers"]) == 1


def test_of_nothing(tmp_path: Path) -> None:
    # spec: R5
    file = tmp_path / "shop.yaml"
    file.touch()
    ended = run_lb("status", str(file))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"lb: {file} is not running, or belongs to another user; `lb serve {file}` starts it\n"


def test_a_second_service_of_one_file_is_refused(tmp_path: Path) -> None:
    # spec: R2
    with FrontDoor(configure("127.0.0.1:1"), tmp_path) as door:
        ended = run_lb("serve", str(tmp_path / "lb.yaml"))
        assert ended.returncode == 1
        assert f"is already served by process {door.pid}" in ended.stderr


def test_a_drain_in_words() -> None:
    open_there = [
        {"kind": "WebSocket", "app": "api", "environment": "production", "connections": 2},
        {"kind": "download", "app": "api", "environment": "staging", "connections": 1},
    ]
    workers = [{**ANSWER["workers"][0], "open": open_there}, ANSWER["workers"][2]]  # type: ignore[index]
    answer = {**ANSWER, "state": "draining", "drain_seconds_left": 26.4, "workers": workers}
    assert list(describe(answer, 1120.0))[:6] == [
        "\x1b[1mdraining\x1b[0m, for 26 s at most (process 100, lb 1.2, compiled engine)",
        "waiting for 2 WebSockets (api); 1 download (api, staging)",
        "listening on http://127.0.0.1:80",
        "listening on https://[::]:443",
        "workers",
        "  1  process 101 drains, still open: 2 WebSockets (api); 1 download (api, staging), 2 min",
    ]
    assert list(describe(answer, 1120.0))[6] == "  3  has ended"


def the_only_places(monkeypatch: pytest.MonkeyPatch, *directories: Path) -> None:
    """Commands look for services in these directories and nowhere else."""
    for directory in directories:
        directory.mkdir(mode=0o700, exist_ok=True)
    monkeypatch.setattr(control_socket, "_directories", lambda _: directories)
    monkeypatch.setattr(control_socket, "_PLACES_OF_USERS", ())


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), prog_name="lb")


@pytest.mark.parametrize("command", ["status", "reload"])
def test_the_only_service_needs_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    runtime, others = tmp_path / "run", tmp_path / "others"
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    runtime.mkdir(mode=0o700)
    the_only_places(monkeypatch, runtime / "lb", others)
    nothing = invoke(command)
    assert nothing.exit_code == 1
    assert "lb: no service with a configuration file is running; `lb serve FILE` starts one" in nothing.output
    env = {"XDG_RUNTIME_DIR": str(runtime)}
    with FrontDoor(configure("127.0.0.1:1"), tmp_path / "a", env=env) as first:
        one = invoke(command)
        assert one.exit_code == 0, one.output
        assert (f"process {first.pid}" if command == "status" else str(first.file)) in one.output
        with FrontDoor(configure("127.0.0.1:1"), tmp_path / "b", env=env) as second:
            several = invoke(command)
            assert several.exit_code == 2
            for door in (first, second):
                assert f"`lb {command} {door.file}`" in several.output
            assert "2 services run" in several.output


def test_what_a_killed_service_left_is_in_nobodys_way(tmp_path: Path) -> None:
    # spec: R2
    first = FrontDoor(configure("127.0.0.1:1", workers=2), tmp_path)
    os.kill(first.pid, signal.SIGKILL)  # its workers drain, and must not keep its place
    first.process.wait(20)
    with FrontDoor(configure("127.0.0.1:1"), tmp_path) as door:
        asked = json.loads(run_lb("status", str(tmp_path / "lb.yaml"), "--json").stdout)
        assert asked["supervisor"] == door.pid
    first.kill()
