"""The admin port under a local client that means no good: the rest of the service, and its log, see nothing of it."""

from __future__ import annotations

import os
import resource
import socket
from contextlib import ExitStack
from pathlib import Path

from tests.e2e.harness import process
from tests.e2e.harness.client import Client
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.scripts import echo
from tests.e2e.harness.waiting import wait_for

_FEW = 160  # descriptors
_MANY = 200  # connections


def admin(door: FrontDoor) -> int:
    (found,) = (pid for pid in process.children(door.pid) if process.title(pid).startswith("lb: admin"))
    return found


def ask(door: FrontDoor, path: bytes) -> int:
    with Client(("127.0.0.1", door.port("admin"))) as client:
        return client.ask(b"GET %b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % path).status


def open_connections(pid: int) -> int:
    return len([1 for name in os.listdir(f"/proc/{pid}/fd") if is_socket(pid, name)])  # noqa: PTH208


def is_socket(pid: int, name: str) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:")  # noqa: PTH115
    except FileNotFoundError:
        return False


def test_half_requests_fill_neither_the_admin_server_nor_the_log_and_veto_no_reload(tmp_path: Path) -> None:
    # spec: L6
    with Instance(echo()) as instance:
        config = configure(instance.address, admin="127.0.0.1:0")
        with FrontDoor(config, tmp_path) as door, ExitStack() as stack:
            pid = admin(door)
            wait_for(lambda: ask(door, b"/readyz") == 200, "it to be ready")
            _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (_FEW, hard))
            before = open_connections(pid)
            for _ in range(_MANY):
                one = stack.enter_context(socket.create_connection(("127.0.0.1", door.port("admin")), 10))
                one.sendall(b"GET /metrics HT")
            said = len(door.stderr)
            assert ask(door, b"/metrics") == 200
            assert open_connections(pid) - before <= 64
            assert door.reload({**config, "timeouts": {"drain": "5s"}})
            assert ask(door, b"/" + b"a" * 9000) == 400
            assert [line for line in door.stderr[said:] if "admin" in line or "Error" in line] == []
