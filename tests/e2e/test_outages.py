"""Outages, and where an operator reads what they are: each is named by two channels at least. E3 and O1.

One front door serves an app for each situation. A channel names a situation when it says its cause code, or the words
that stand for it: the error page, the access log, `/metrics`, stderr, `lb status`, and `/status` of the admin server.
"""

from __future__ import annotations

import json
import os
import re
import socket
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import ShortPaths
from tests.e2e.harness.client import get
from tests.e2e.harness.door import FrontDoor, run_lb
from tests.e2e.harness.instance import Instance, Peer, Script, address_text, reserve
from tests.e2e.harness.scripts import close_unanswered, echo, hang, ok
from tests.e2e.harness.waiting import wait_for
from tests.e2e.test_health import admin

# The process under test may not pass over the permissions of files, whoever runs the tests, and knows a name without
# address.
_SITE = """
    import ctypes, socket
    libc = ctypes.CDLL(None)
    header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    libc.capget(header, data)
    data[0] &= ~0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
    data[1] &= ~0b110
    assert libc.capset(header, data) == 0
    system = socket.getaddrinfo
    def getaddrinfo(host, port, *args, **more):
        if host == "nowhere.internal":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return system(host, port, *args, **more)
    socket.getaddrinfo = getaddrinfo
"""


def _after_a_request(data: bytes) -> Script:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(data)

    return script


def _check_refused(peer: Peer) -> None:
    """An app that serves, but does not like the Host of its checks, as Django's ALLOWED_HOSTS has it."""
    while True:
        request = peer.request()
        is_check = request.target == b"/up"
        peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" if is_check else ok(b"served"))


EVERYWHERE = ("page", "log", "metrics", "stderr", "status", "json")


@dataclass(frozen=True)
class Situation:
    """What is done to the instance, the words that name it, the status of the reply, and which channels say them."""

    instance: Script | str
    words: str
    status: int
    channels: tuple[str, ...] = EVERYWHERE
    beside: bool = False  # another instance works
    keys: tuple[tuple[str, Any], ...] = ()


HEALTH = (("health_uri", "/up"), ("health_interval", "100ms"), ("health_timeout", "100ms"))

SITUATIONS = {
    "refused": Situation("closed port", "connection_refused", 502),
    "one-of-two": Situation("closed port", "connection_refused", 200, ("stderr", "status", "json"), beside=True),
    "hangs": Situation(hang, "http_response_timeout", 504),
    "garbage": Situation(_after_a_request(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "http_protocol_error", 502),
    "speaks-tls": Situation(_after_a_request(b"\x15\x03\x03\x00\x02\x02\x46"), "instance_speaks_tls", 502),
    "closes": Situation(close_unanswered, "connection_terminated", 502),
    "long-header": Situation(
        _after_a_request(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000), "http_response_header_section_size", 502
    ),
    "cut-body": Situation(
        _after_a_request(ok(b"x" * 1000)[:-500]),
        "http_response_incomplete",
        200,
        ("log", "metrics", "stderr", "status", "json"),
    ),
    "no-address": Situation("nowhere.internal:3000", "dns_error", 503, ("page", "log", "metrics")),
    "no-socket": Situation("missing socket", "socket_not_found", 502),
    "no-permission": Situation("forbidden socket", "connection_not_permitted", 502),
    "plain-file": Situation("plain file", "not_a_socket", 502),
    "check-fails": Situation(
        "closed port", "GET /up failed: connection refused", 503, ("stderr", "status", "json"), keys=HEALTH
    ),
    "check-refused": Situation(
        _check_refused, r"GET /up answered 400 \(Host: check-refused", 200, ("stderr", "status", "json"), keys=HEALTH
    ),
}


class Outages:
    """The front door and all that is behind it; `addresses` has the broken instance of each situation."""

    def __init__(self, directory: Path, short: Path, stack: ExitStack) -> None:
        (directory / "sitecustomize.py").write_text(textwrap.dedent(_SITE))
        self._stack = stack
        self._short = short
        self.addresses: dict[str, str] = {}
        apps = {name: self._app(name, situation) for name, situation in SITUATIONS.items()}
        config = {
            "listen": {"http": "127.0.0.1:0"},
            "admin": "127.0.0.1:0",
            "workers": 2,
            "timeouts": {"response": "300ms"},
            "apps": apps,
        }
        path = os.pathsep.join(filter(None, [str(directory), os.environ.get("PYTHONPATH", "")]))
        self.door = stack.enter_context(FrontDoor(config, directory, env={"PYTHONPATH": path}))

    def _app(self, name: str, situation: Situation) -> dict[str, Any]:
        address = self.addresses[name] = self._address(situation.instance, name)
        instances = [address]
        if situation.beside:
            instances.append(self._stack.enter_context(Instance(echo())).address)
        production = {"instances": instances, "fail_duration": "60s", **dict(situation.keys)}
        return {"domains": [f"{name}.example.com"], "production": production}

    def _address(self, instance: Script | str, name: str) -> str:
        path = self._short / f"{name}.sock"
        match instance:
            case "closed port":
                return address_text(self._stack.enter_context(reserve()))
            case "missing socket":
                pass
            case "plain file":
                path.write_text("")
            case "forbidden socket":
                sock = self._stack.enter_context(socket.socket(socket.AF_UNIX))
                sock.bind(str(path))
                sock.listen()
                path.chmod(0)
            case str():
                return instance
            case _:
                return self._stack.enter_context(Instance(instance)).address
        return f"unix:{path}"

    def page(self, name: str) -> str:
        return self.ask(name)[1]

    def ask(self, name: str) -> tuple[int, str]:
        data = get("/", "Accept: application/json", host=f"{name}.example.com")
        if name == "cut-body":
            with self.door.connect() as client:
                client.send(data)
                client.stream.rest()
            return 200, ""
        response = self.door.ask(data)
        return response.status, response.body.decode()

    def log(self, name: str) -> str:
        return json.dumps([entry for entry in self.door.log() if entry["app"] == name])

    def metrics(self, _: str) -> str:
        lines = admin(self.door, "/metrics").decode().splitlines()
        return "\n".join(line for line in lines if line.startswith("lb_errors_total") and not line.endswith(" 0"))

    def stderr(self, name: str) -> str:
        return "\n".join(line for line in list(self.door.stderr) if f"app {name} " in line and " warning " in line)

    def status(self, name: str) -> str:
        said = run_lb("status", str(self.door.file)).stdout
        return said.partition(f"app {name}:")[2].partition("\napp ")[0]

    def json(self, name: str) -> str:
        return json.dumps(json.loads(admin(self.door, "/status"))["apps"][name])


@pytest.fixture(scope="module")
def outages(tmp_path_factory: pytest.TempPathFactory, short_paths: ShortPaths) -> Iterator[Outages]:
    with ExitStack() as stack:
        yield Outages(tmp_path_factory.mktemp("outages"), short_paths(), stack)


@pytest.mark.parametrize("name", SITUATIONS)
def test_an_outage_is_named(outages: Outages, name: str) -> None:
    # spec: E1, E3, O1
    situation = SITUATIONS[name]
    assert len(situation.channels) >= 2
    wait_for(lambda: outages.ask(name)[0] == situation.status, "the reply that the situation leads to")
    for channel in situation.channels:
        read = getattr(outages, channel)

        def says(read: Any = read) -> bool:
            outages.ask(name)  # every worker has to have met it before the last channel knows
            return re.search(situation.words, read(name)) is not None

        wait_for(says, f"{channel} to name it")


@pytest.mark.parametrize("name", [name for name, one in SITUATIONS.items() if "page" in one.channels])
def test_the_page_says_who_can_mend_it_and_names_no_address(outages: Outages, name: str) -> None:
    # spec: E2
    status, page = outages.ask(name)
    address = outages.addresses[name].removeprefix("unix:")
    assert status == SITUATIONS[name].status
    assert "operator" in page
    assert address not in page
    assert address.rpartition("/")[2] not in page


@pytest.mark.parametrize("name", [name for name, one in SITUATIONS.items() if "page" in one.channels])
def test_what_fails_is_not_up(outages: Outages, name: str) -> None:
    # spec: E3, O1
    instance = outages.addresses[name]
    gauge = f'lb_instance_up{{app="{name}",environment="production",instance="{instance}"}} 0\n'

    def is_down() -> bool:
        outages.ask(name)
        return gauge in admin(outages.door, "/metrics").decode()

    wait_for(is_down, "every worker to have met it")


def test_a_name_without_address_is_named_by_the_log_and_the_status(outages: Outages) -> None:
    # spec: E3
    wait_for(
        lambda: any("the name nowhere.internal is not found" in line for line in list(outages.door.stderr)),
        "stderr to name it",
    )
    assert "nowhere.internal:3000 has no address: Name or service not known" in outages.status("no-address")


def test_the_log_has_what_in_particular_was_wrong(outages: Outages) -> None:
    # spec: E1
    outages.ask("garbage")
    entry = outages.door.wait_log(app="garbage", cause="http_protocol_error")
    assert entry["detail"].startswith("the status line")
    assert entry["instance"] == outages.addresses["garbage"]
