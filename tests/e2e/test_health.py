"""Active health checks and the addresses of names, end to end: who gets requests, and what is said about it."""

from __future__ import annotations

import json
import os
import signal
import socket
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import process
from tests.e2e.harness.client import get
from tests.e2e.harness.door import Config, FrontDoor, configure, run_lb
from tests.e2e.harness.instance import Instance, Peer, address_text, reserve
from tests.e2e.harness.scripts import ok
from tests.e2e.harness.waiting import wait_for

QUICK = {"health_interval": "100ms", "health_timeout": "300ms"}


class App:
    """An instance that says its name, and answers its checks with `status`; None never answers one."""

    def __init__(self, name: bytes, status: int | None = 200) -> None:
        self.name = name
        self.status = status
        self.checks: list[dict[str, str]] = []

    def __call__(self, peer: Peer) -> None:
        while True:
            request = peer.request()
            fields = {name.decode().lower(): value.decode() for name, value in request.fields}
            if not fields.get("user-agent", "").startswith("lb-health/"):
                peer.send(ok(self.name))
                continue
            self.checks.append({"target": request.target.decode(), **fields})
            if self.status is None:
                peer.wait_gone()
                return
            peer.send(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % self.status)


def checked(*instances: str, **keys: Any) -> Config:
    config = configure(*instances, admin="127.0.0.1:0")
    config["apps"]["shop"]["production"].update({**QUICK, **keys})
    return config


def ask(door: FrontDoor, count: int) -> list[bytes]:
    """Who answered each of so many requests."""
    with door.connect() as client:
        answers = [client.ask(get()) for _ in range(count)]
    assert {answer.status for answer in answers} == {200}
    return [answer.body for answer in answers]


def wait_for_only(door: FrontDoor, *names: bytes) -> None:
    wait_for(lambda: set(ask(door, 6)) == set(names), f"requests to go to {names} alone")


def admin(door: FrontDoor, path: str) -> bytes:
    with socket.create_connection(("127.0.0.1", door.port("admin")), 5) as sock:
        sock.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        return b"".join(iter(lambda: sock.recv(65536), b"")).partition(b"\r\n\r\n")[2]


def health(door: FrontDoor, address: str) -> list[dict[str, Any]]:
    shop = json.loads(admin(door, "/status"))["apps"]["shop"]
    found: list[dict[str, Any]] = shop["production"]["health"][address]
    return found


def wait_state(door: FrontDoor, address: str, state: str) -> dict[str, Any]:
    wait_for(lambda: health(door, address)[0]["state"] == state, f"{address} to be {state}")
    return health(door, address)[0]


def said(door: FrontDoor, text: str) -> list[str]:
    return [line.partition(" app shop ")[2] for line in list(door.stderr) if text in line]


def test_one_that_fails_is_taken_out_and_comes_back(tmp_path: Path) -> None:  # spec: A1 F1
    one, two = App(b"one"), App(b"two")
    with Instance(one) as first, Instance(two) as second:
        with FrontDoor(checked(first.address, second.address), tmp_path) as door:
            assert set(ask(door, 4)) == {b"one", b"two"}
            wait_state(door, second.address, "healthy")
            two.status = 500
            wait_for_only(door, b"one")
            state = wait_state(door, second.address, "unhealthy")
            assert state["error"] == state["last"] == "GET / answered 500 (Host: shop.example.com)"
            gauge = f'lb_instance_healthy{{app="shop",environment="production",instance="{second.address}"}}'.encode()
            assert gauge + b" 0\n" in admin(door, "/metrics")
            two.status = 204
            wait_for_only(door, b"one", b"two")
            assert gauge + b" 1\n" in admin(door, "/metrics")
            assert said(door, f"{second.address} is unhealthy") == [
                (
                    f"production {second.address} is unhealthy: GET / answered 500 (Host: shop.example.com); fix the "
                    "app, set health_uri to a path that answers 2xx, or health_status: [2xx, 3xx, 4xx, 500]"
                )
            ]
            assert len(said(door, f"{second.address} is healthy")) == 1
        assert said(door, first.address + " is") == []


def test_one_that_hangs_is_taken_out(tmp_path: Path) -> None:  # spec: A1
    one, two = App(b"one"), App(b"two")
    with (
        Instance(one) as first,
        Instance(two) as second,
        FrontDoor(checked(first.address, second.address, health_uri="/up?now=1"), tmp_path) as door,
    ):
        wait_state(door, second.address, "healthy")
        two.status = None
        wait_for_only(door, b"one")
        error = wait_state(door, second.address, "unhealthy")["error"]
        assert error == "GET /up?now=1 was not answered within 0.3 s"
        two.status = 200
        wait_for_only(door, b"one", b"two")


def test_a_check_looks_like_a_request_of_the_app(tmp_path: Path) -> None:
    app = App(b"one")
    with Instance(app) as instance, FrontDoor(checked(instance.address), tmp_path) as door:
        wait_state(door, instance.address, "healthy")
        wait_for(lambda: len(app.checks) > 2, "checks")
    check = app.checks[0]
    assert (check["target"], check["host"]) == ("/", "shop.example.com")
    assert check["x-forwarded-proto"] == "http"
    assert check["connection"] == "close"


def test_nobody_healthy_by_status_serves_all_the_same_said_once(tmp_path: Path) -> None:  # spec: A1 E3
    one, two = App(b"one", 404), App(b"two", 302)
    with Instance(one) as first, Instance(two) as second:
        config = checked(first.address, second.address, health_uri="/up")
        with FrontDoor(config, tmp_path) as door:
            wait_state(door, first.address, "starting")
            wait_state(door, second.address, "starting")
            wait_for(lambda: said_line(door, "no instance passes its checks"), "the log to say so")
            assert set(ask(door, 6)) == {b"one", b"two"}
            wait_for(lambda: len(one.checks) > 5, "some checks")
            assert len(said_line(door, "no instance passes its checks")) == 1
            assert [line for line in said_line(door, first.address + " is") if " warning " in line]
            assert said(door, first.address + " is") == [
                (
                    f"production {first.address} is not healthy yet, and is checked every second: GET /up answered 404 "
                    "(Host: shop.example.com); set health_uri to a path that answers 2xx, or health_status: [2xx, 404]"
                )
            ]
            status = run_lb("status", str(door.file)).stdout
            assert "GET /up answered 404 (Host: shop.example.com); it gets requests nevertheless" in status
            one.status = 200
            wait_for_only(door, b"one")  # one that passes is better than one that only answers
            one.status = 404
            wait_for_only(door, b"one", b"two")
            wait_for(lambda: len(said_line(door, "no instance passes its checks")) == 2, "the log to say so again")


def test_nobody_that_answers_is_503(tmp_path: Path) -> None:  # spec: A1 E1 E2
    app, hung = App(b"one", None), reserve()
    with Instance(app) as instance, hung:
        config = checked(instance.address, address_text(hung), health_uri="/up")
        with FrontDoor(config, tmp_path) as door:
            wait_for(lambda: door.ask(get()).status == 503, "no instance to be there")
            response = door.ask(get())
            assert (response.status, response.has("Retry-After")) == (503, True)
            door.wait_log(status=503, cause="destination_unavailable")
            assert not said_line(door, "no instance passes its checks")
            app.status = 200
            wait_for(lambda: door.ask(get()).status == 200, "the instance to be back")


@pytest.mark.parametrize("status", [200, 302, 404, 401])
def test_without_more_any_answer_below_500_passes(tmp_path: Path, status: int) -> None:  # spec: A1
    app = App(b"one", status)
    with Instance(app) as instance, FrontDoor(checked(instance.address), tmp_path) as door:
        wait_state(door, instance.address, "healthy")
    assert {check["target"] for check in app.checks} == {"/"}


def test_the_rule_of_deployed_apps(tmp_path: Path) -> None:  # spec: A1
    app = App(b"one", 404)
    with Instance(app) as instance, FrontDoor(checked(instance.address, health_status="2xx"), tmp_path) as door:
        wait_state(door, instance.address, "starting")
        assert {check["target"] for check in app.checks} == {"/", "/__engine/1/ping"}
        app.status = 200
        wait_state(door, instance.address, "healthy")


def test_one_that_is_not_there_yet(tmp_path: Path) -> None:  # spec: A1
    late = reserve()
    address = f"127.0.0.1:{late.getsockname()[1]}"
    with Instance(App(b"one")) as first, FrontDoor(checked(first.address, address), tmp_path) as door:
        assert ask(door, 4) == [b"one"] * 4
        assert wait_state(door, address, "starting")["error"] == "GET / failed: connection refused"
        with Instance(App(b"late"), sock=late):
            wait_for_only(door, b"one", b"late")


def test_a_unix_socket_and_another_port(tmp_path: Path, short_path: Path) -> None:
    unix, other = App(b"unix"), App(b"other", 500)
    side = App(b"side", 299)
    with Instance(unix, path=short_path / "a.sock") as first, Instance(other) as second, Instance(side) as port:
        config = checked(first.address)
        config["apps"]["side"] = {
            "domains": ["side.example.com"],
            "production": {
                "instances": [second.address],
                "health_port": int(port.address.rpartition(":")[2]),
                "health_status": [299],
                **QUICK,
            },
        }
        with FrontDoor(config, tmp_path) as door:
            wait_state(door, first.address, "healthy")
            wait_for(lambda: side.checks, "a check at the other port")
            assert door.ask(get(host="side.example.com")).body == b"other"
            assert other.checks == []


def test_the_table_outlives_workers_and_the_process_that_fills_it(tmp_path: Path) -> None:  # spec: R3
    one, two = App(b"one"), App(b"two", 500)
    with Instance(one) as first, Instance(two) as second:
        config = checked(first.address, second.address, health_interval="1h")
        with FrontDoor(config, tmp_path) as door:
            wait_state(door, second.address, "starting")
            wait_state(door, first.address, "healthy")
            kill(door, "lb: health")
            kill(door, "lb: worker 1/1")
            wait_for(lambda: door.ask(get()).status == 200, "the new worker")
            assert ask(door, 6) == [b"one"] * 6
            two.status = 200
            wait_for_only(door, b"one", b"two")


def kill(door: FrontDoor, title: str) -> None:
    """Kill the child of this title, and wait for the next one."""

    def who() -> int:
        titles = {process.title(pid): pid for pid in door.workers}
        return titles.get(title, 0)

    before = who()
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: who() not in (0, before), f"another {title}")


def said_line(door: FrontDoor, text: str) -> list[str]:
    return [line for line in list(door.stderr) if text in line]


def test_a_reload_keeps_what_is_known(tmp_path: Path) -> None:  # spec: R2
    one, two, three = App(b"one"), App(b"two", 500), App(b"three", 500)
    with Instance(one) as first, Instance(two) as second, Instance(three) as third:
        with FrontDoor(checked(first.address, second.address), tmp_path) as door:
            wait_state(door, first.address, "healthy")
            wait_for_only(door, b"one")  # the other is trusted until its first check has failed
            since = wait_state(door, second.address, "starting")["since"]
            assert door.reload(checked(third.address, second.address, first.address))
            assert ask(door, 9) == [b"one"] * 9  # the one that joins has to pass a check first
            assert wait_state(door, third.address, "starting")["state"] == "starting"
            assert wait_state(door, second.address, "starting")["since"] == since
            assert len(said(door, f"{second.address} is")) == 1
            three.status = 200
            wait_for_only(door, b"one", b"three")
            assert door.reload(checked(second.address, first.address, health_checks=False))
            assert set(ask(door, 4)) == {b"one", b"two"}
        assert len(two.checks) > 0


# Names. What the system's resolver would say is in a file.

RESOLVER = """
    import json, os, socket
    system = socket.getaddrinfo
    def getaddrinfo(host, port, *args, **more):
        with open(os.environ["TEST_NAMES"]) as file:
            names = json.load(file)
        if host not in names:
            return system(host, port, *args, **more)
        if not names[host]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [found for address in names[host] for found in system(address, port, *args, **more)]
    socket.getaddrinfo = getaddrinfo
"""


class Names:
    """What names mean to a front door that is started with `env`."""

    def __init__(self, directory: Path) -> None:
        (directory / "sitecustomize.py").write_text(textwrap.dedent(RESOLVER))
        self._file = directory / "names.json"
        path = os.pathsep.join(filter(None, [str(directory), os.environ.get("PYTHONPATH", "")]))
        self.env = {"TEST_NAMES": str(self._file), "PYTHONPATH": path}

    def say(self, **names: list[str]) -> None:
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(names))
        fresh.replace(self._file)


def named(*instances: str, **keys: Any) -> Config:
    config = checked(*instances, **keys)
    if not keys:
        for key in QUICK:
            del config["apps"]["shop"]["production"][key]
    return {**config, "dns_interval": "100ms"}


def test_an_address_that_changes_is_followed(tmp_path: Path) -> None:  # spec: F1 F3
    old_socket = reserve("127.0.0.1")
    port = old_socket.getsockname()[1]
    names = Names(tmp_path)
    names.say(app=["127.0.0.1"])
    gate: list[Peer] = []

    def old(peer: Peer) -> None:
        while True:
            request = peer.request()
            if request.target == b"/slow":
                gate.append(peer)
                wait_for(lambda: not gate, "leave to answer")
            peer.send(ok(b"old"))

    with (
        Instance(old, sock=old_socket) as first,
        Instance(App(b"new"), sock=reserve("127.0.0.2", port)),
        FrontDoor(named(f"app:{port}"), tmp_path, env=names.env) as door,
        door.connect() as slow,
    ):
        assert ask(door, 3) == [b"old"] * 3
        slow.send(get("/slow"))
        wait_for(lambda: gate, "the request at the old address")
        names.say(app=["127.0.0.2"])
        wait_for(lambda: set(ask(door, 3)) == {b"new"}, "the new address")
        wait_for(lambda: first.open_connections == 1, "idle connections to the old address to be closed")
        gate.clear()
        assert slow.response().body == b"old"
        wait_for(lambda: first.open_connections == 0, "the last connection to the old address to be closed")
        assert [state["address"] for state in health(door, f"app:{port}")] == ["127.0.0.2"]
        assert said(door, "has the address") == [
            f"production app:{port} now has the address 127.0.0.2; before: 127.0.0.1"
        ]


def test_all_addresses_of_a_name_are_used_and_checked(tmp_path: Path) -> None:
    first_socket = reserve("127.0.0.1")
    port = first_socket.getsockname()[1]
    names = Names(tmp_path)
    names.say(app=["127.0.0.1", "127.0.0.2"])
    two = App(b"two")
    with (
        Instance(App(b"one"), sock=first_socket),
        Instance(two, sock=reserve("127.0.0.2", port)),
        FrontDoor(named(f"app:{port}", health_uri="/up", **QUICK), tmp_path, env=names.env) as door,
    ):
        assert set(ask(door, 4)) == {b"one", b"two"}
        wait_for(lambda: two.checks, "checks at the second address")
        two.status = 500
        wait_for_only(door, b"one")
        states = {state["address"]: state["state"] for state in health(door, f"app:{port}")}
        assert (states["127.0.0.1"], states["127.0.0.2"] == "healthy") == ("healthy", False)
        names.say(app=["127.0.0.1"])
        wait_for(lambda: len(health(door, f"app:{port}")) == 1, "the second address to be gone")


def test_a_resolver_that_fails_changes_nothing(tmp_path: Path) -> None:
    names = Names(tmp_path)
    names.say(app=["127.0.0.1"])
    with Instance(App(b"one")) as instance:
        port = instance.address.rpartition(":")[2]
        with FrontDoor(named(f"app:{port}"), tmp_path, env=names.env) as door:
            names.say(app=[])
            wait_for(lambda: said_line(door, "the name app is not found"), "the log to say so")
            assert ask(door, 3) == [b"one"] * 3
            names.say(app=["127.0.0.1"])
            wait_for(lambda: said_line(door, "the name app is found"), "the log to say so")
        assert len(said_line(door, "the name app is not found")) == 1
        assert said_line(door, "its last addresses stay in use")


def test_a_name_that_is_not_found_does_not_keep_the_rest_from_serving(tmp_path: Path) -> None:
    names = Names(tmp_path)
    names.say(late=[])
    with Instance(App(b"one")) as instance:
        port = instance.address.rpartition(":")[2]
        config = named(instance.address)
        config["apps"]["late"] = {
            "domains": ["late.example.com"],
            "production": {"instances": [f"late:{port}"]},
        }
        with FrontDoor(config, tmp_path, env=names.env) as door:
            assert ask(door, 2) == [b"one"] * 2
            assert door.ask(get(host="late.example.com")).status == 503
            names.say(late=["127.0.0.1"])
            wait_for(lambda: door.ask(get(host="late.example.com")).status == 200, "the name to be found")


def test_a_reload_brings_a_name(tmp_path: Path) -> None:  # spec: R2
    names = Names(tmp_path)
    names.say(app=["127.0.0.2"])
    first_socket = reserve("127.0.0.1")
    port = first_socket.getsockname()[1]
    with (
        Instance(App(b"one"), sock=first_socket) as first,
        Instance(App(b"two"), sock=reserve("127.0.0.2", port)),
        FrontDoor(named(first.address), tmp_path, env=names.env) as door,
    ):
        assert ask(door, 1) == [b"one"]
        assert door.reload(named(f"app:{port}"))
        assert ask(door, 2) == [b"two"] * 2
        names.say(app=["127.0.0.1"])
        wait_for_only(door, b"one")


def test_nothing_but_names_that_are_not_found_is_told_at_once(tmp_path: Path) -> None:  # spec: R5
    names = Names(tmp_path)
    names.say(late=[])
    with pytest.raises(AssertionError, match="ended with 1") as failure:
        FrontDoor(named("late:3000"), tmp_path, env=names.env)
    assert "no instance has an address: late:3000: Name or service not known" in str(failure.value.__notes__)
