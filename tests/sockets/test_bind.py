"""Listening sockets: how many, on what, and why not."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys

import pytest

from lb.config.model import ListenAddress
from lb.process.start_error import StartError
from lb.sockets import bind as binding
from lb.sockets.bind import BoundAddress, bind_all
from lb.sockets.port_owner import port_holder


def bind(host: str, port: int = 0, slots: int = 1) -> tuple[BoundAddress, ...]:
    return bind_all([("http", ListenAddress(host=host, port=port))], slots)


def close(bound: tuple[BoundAddress, ...]) -> None:
    for one in bound:
        for sock in one.sockets:
            sock.close()


def test_every_slot_gets_a_socket_of_its_own_on_one_port() -> None:
    bound = bind("127.0.0.1", slots=3)
    names = [sock.getsockname() for sock in bound[0].sockets]
    assert len(set(names)) == 1
    assert len({sock.fileno() for sock in bound[0].sockets}) == 3
    assert bound[0].url == f"http://127.0.0.1:{names[0][1]}"
    close(bound)


@pytest.mark.skipif(sys.platform != "linux", reason="SO_REUSEPORT spreads connections on Linux only")
def test_connections_are_spread_over_the_slots() -> None:
    bound = bind("127.0.0.1", slots=2)
    clients = [socket.create_connection(("127.0.0.1", bound[0].port)) for _ in range(64)]
    counts = [accept_all(sock) for sock in bound[0].sockets]
    assert sum(counts) == 64
    assert min(counts) > 0
    for client in clients:
        client.close()
    close(bound)


def accept_all(sock: socket.socket) -> int:
    count = 0
    while True:
        try:
            sock.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


def test_where_so_reuseport_does_not_spread_the_slots_share_one_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binding, "_SPREADS", False)
    bound = bind("127.0.0.1", slots=2)
    client = socket.create_connection(("127.0.0.1", bound[0].port))
    assert accept_all(bound[0].sockets[1]) == 1
    client.close()
    close(bound)


def test_an_empty_host_is_both_families_on_one_port() -> None:
    bound = bind("")
    assert [one.sockets[0].family for one in bound] == [socket.AF_INET, socket.AF_INET6]
    assert bound[0].port == bound[1].port
    assert bound[1].url == f"http://[::]:{bound[0].port}"
    close(bound)


def test_an_empty_host_is_ipv4_alone_where_there_is_no_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def without_ipv6(family: int, kind: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "no IPv6")
        return real(family, kind)

    monkeypatch.setattr(socket, "socket", without_ipv6)
    bound = bind("")
    assert [one.sockets[0].family for one in bound] == [socket.AF_INET]
    close(bound)


def test_an_ipv6_address_leaves_ipv4_alone() -> None:
    bound = bind("::")
    other = bind("0.0.0.0", bound[0].port)
    close(bound + other)


def test_a_port_in_use_is_refused_and_its_holder_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(StartError) as caught:
            bind("127.0.0.1", port)
        assert str(caught.value).startswith(f"cannot listen on http://127.0.0.1:{port}: the port is in use by ")
        assert f"(pid {os.getpid()})" in str(caught.value)


def test_a_port_is_not_shared_in_silence_with_another_lb() -> None:
    first = bind("127.0.0.1", slots=2)
    with pytest.raises(StartError):
        bind("127.0.0.1", first[0].port, slots=2)
    close(first)


def test_a_port_is_free_again_when_its_sockets_are_closed() -> None:
    first = bind("127.0.0.1")
    port = first[0].port
    with socket.create_connection(("127.0.0.1", port)):
        first[0].sockets[0].accept()[0].close()  # leaves the server's side in TIME_WAIT
    close(first)
    close(bind("127.0.0.1", port))


def test_one_bad_address_leaves_none_bound() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(StartError, match="no such address"):
        bind_all(
            [("http", ListenAddress(host="127.0.0.1", port=port)), ("https", ListenAddress(host="192.0.2.1", port=0))],
            2,
        )
    close(bind("127.0.0.1", port))


def test_a_reserved_port_says_what_to_do() -> None:
    text = binding.explain("http", "0.0.0.0", 80, OSError(errno.EACCES, "Permission denied"))
    assert text.startswith("cannot listen on http://0.0.0.0:80: this process lacks the privilege for ports below 1024")
    assert "ip_unprivileged_port_start=80" in text


def test_nobody_holds_a_free_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert str(os.getpid()) in port_holder(port)
    assert port_holder(port) == ""


def test_whatever_a_holder_is_called_is_one_line() -> None:
    code = (
        "import socket, sys\ns = socket.create_server(('127.0.0.1', 0))\nprint(s.getsockname()[1], flush=True)\ninput()"
    )
    command = [sys.executable, "-c", code, "\x1b[2J"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        text = port_holder(port)
        process.communicate(b"\n")
    assert text.isprintable()
    assert " -c import socket, sys s = socket" in text
    assert text.endswith(f"(pid {process.pid})")
