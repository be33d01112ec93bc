"""On what this process listens, as another would see it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lb.apps.run.listening import AppListener, PortHolder, beside_the_door, listeners, port_holder, port_owner


def test_ports_and_paths_are_found(tmp_path: Path) -> None:
    path = str(tmp_path / "sock")
    with socket.create_server(("127.0.0.1", 0)) as one, socket.socket(socket.AF_UNIX) as two, socket.socket() as idle:
        two.bind(path)
        two.listen()
        idle.bind(("127.0.0.1", 0))  # bound, and does not listen
        found = listeners([os.getpid()])
        assert AppListener("127.0.0.1", one.getsockname()[1]) in found
        assert AppListener(path=path) in found
        assert idle.getsockname()[1] not in [listener.port for listener in found]
        assert port_owner(one.getsockname()[1]).endswith(f"(process {os.getpid()})")
    assert port_owner(one.getsockname()[1] if one.fileno() >= 0 else 1) == ""


def test_the_holder_of_a_port_is_the_app_another_program_or_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
        assert port_holder(port, [os.getpid()]) is PortHolder.OWN
        assert port_holder(port, [os.getppid()]) is PortHolder.OTHER
        assert port_holder(port, []) is PortHolder.OTHER
        assert port_owner(port, [os.getpid()]) == ""
    assert port_holder(port, [os.getpid()]) is PortHolder.NOBODY


def test_a_port_that_two_programs_share_is_not_the_app_s() -> None:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind(("127.0.0.1", 0))
        one.listen()
        port = one.getsockname()[1]
        code = (
            "import socket; s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1);"
            f"s.bind(('127.0.0.1', {port})); s.listen(); print(flush=True); input()"
        )
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen([sys.executable, "-c", code], text=True, **pipes) as other:  # type: ignore[call-overload]
            other.stdout.readline()
            assert port_holder(port, [os.getpid()]) is PortHolder.OTHER
            assert port_owner(port, [os.getpid()]).endswith(f"(process {other.pid})")
            other.communicate("\n")
        assert port_holder(port, [os.getpid()]) is PortHolder.OWN


def test_ipv6_is_written_as_people_do() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as one:
        assert f"[::1]:{one.getsockname()[1]}" in [str(listener) for listener in listeners([os.getpid()])]


def test_nobody_listens_on_nothing() -> None:
    assert listeners([]) == []
    assert listeners([2**22 + 1]) == []


# spec: B3
@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_an_app_beside_the_door_is_said_with_the_remedy(host: str) -> None:
    said = beside_the_door([AppListener(host, 21003), AppListener("127.0.0.1", 1)], 21003)
    assert "can reach it without passing lb" in said
    assert "network: private" in said
    assert "tcp dport 21003 drop" in said
    assert beside_the_door([AppListener("127.0.0.1", 21003), AppListener(path="/x")], 21003) == ""
