"""Sockets that were open before us: which address takes which, and what is no use to us."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from lb.config.model import ListenAddress
from lb.process.start_error import StartError
from lb.sockets.bind import BoundAddress, bind_all
from lb.sockets.inherited import InheritedSockets, PassedSocket, from_systemd, open_passed

LOOPBACK = "127.0.0.1"


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def listening(opened: ExitStack, host: str = LOOPBACK, port: int = 0, *, dual: bool = False) -> socket.socket:
    sock = opened.enter_context(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if ":" in host:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not dual)
    sock.bind((host, port))
    sock.listen()
    return sock


def passed(*sockets: socket.socket, name: str = "") -> InheritedSockets:
    return InheritedSockets("systemd", [PassedSocket(name, sock) for sock in sockets])


def port_of(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


def bind(
    opened: ExitStack, inherited: InheritedSockets, host: str, port: int, slots: int = 1
) -> tuple[BoundAddress, ...]:
    bound = bind_all([("http", ListenAddress(host=host, port=port))], slots, inherited)
    for one in bound:
        for sock in one.sockets:
            opened.enter_context(sock)
    return bound


def test_the_address_decides(opened: ExitStack) -> None:
    first, second = listening(opened), listening(opened)
    inherited = passed(first, second)
    [bound] = bind(opened, inherited, LOOPBACK, port_of(second))
    assert bound.sockets == (second,)
    [bound] = bind(opened, inherited, LOOPBACK, port_of(first))
    assert bound.sockets == (first,)


def test_every_slot_shares_what_was_passed(opened: ExitStack) -> None:
    sock = listening(opened)
    [bound] = bind(opened, passed(sock), LOOPBACK, port_of(sock), slots=3)
    assert len({one.fileno() for one in bound.sockets}) == 3
    inodes = {os.fstat(one.fileno()).st_ino for one in bound.sockets}
    assert inodes == {os.fstat(sock.fileno()).st_ino}
    assert not any(os.get_inheritable(one.fileno()) for one in bound.sockets[1:])


def test_more_sockets_than_slots_are_all_served(opened: ExitStack) -> None:
    first = opened.enter_context(socket.socket())
    second = opened.enter_context(socket.socket())
    for sock in (first, second):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((LOOPBACK, port_of(first) if sock is second else 0))
        sock.listen()
    [bound] = bind(opened, passed(first, second), LOOPBACK, port_of(first))
    assert bound.sockets == (first, second)


@pytest.mark.parametrize("both", [True, False])
def test_an_empty_host_takes_what_stands_for_it(opened: ExitStack, *, both: bool) -> None:
    if both:
        sock = listening(opened, "::", dual=True)
        [bound] = bind(opened, passed(sock), "", port_of(sock))
        assert bound.sockets == (sock,)  # IPv4 needs none of its own
    else:
        sock = listening(opened, "0.0.0.0")
        four, six = bind(opened, passed(sock), "", port_of(sock))
        assert four.sockets == (sock,)
        assert six.sockets[0].family == socket.AF_INET6
        assert six.port == four.port


def test_one_for_both_families_is_not_one_for_ipv4(opened: ExitStack) -> None:
    sock = listening(opened, "::", dual=True)
    with pytest.raises(StartError, match=r"A socket bound to \[::\]:\d+ was passed to this process"):
        bind(opened, passed(sock), "0.0.0.0", port_of(sock))


def test_a_port_left_to_the_system_is_found_by_name(opened: ExitStack) -> None:
    one, other = listening(opened), listening(opened)
    inherited = InheritedSockets("", [PassedSocket("https", one), PassedSocket("http", other)])
    [bound] = bind(opened, inherited, LOOPBACK, 0)
    assert bound.sockets == (other,)
    [bound] = bind(opened, passed(one), LOOPBACK, 0)  # systemd's have no such names, and a port that was chosen
    assert bound.sockets != (one,)


def test_what_nothing_asks_for_is_told_and_closed(opened: ExitStack, caplog: pytest.LogCaptureFixture) -> None:
    used, unused = listening(opened), listening(opened)
    inherited = passed(used, unused)
    bind(opened, inherited, LOOPBACK, port_of(used))
    address = f"{LOOPBACK}:{port_of(unused)}"
    inherited.close_unused()
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert f"systemd passed a listening socket on {address}, which is not under" in record.getMessage()
    assert unused.fileno() == -1
    assert used.fileno() >= 0


def _datagram() -> int:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).detach()


def _unix() -> int:
    return socket.socket(socket.AF_UNIX).detach()


def _connected() -> int:
    one, other = socket.socket(), socket.create_server((LOOPBACK, 0))
    with other:
        one.connect(other.getsockname())
        other.accept()[0].close()
    return one.detach()


def _file() -> int:
    return os.open("/dev/null", os.O_RDONLY)


def _closed() -> int:
    os.close(fd := _file())
    return fd


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (_datagram, "a datagram socket"),
        (_unix, "a Unix socket"),
        (_connected, "a socket that does not listen"),
        (_file, "not a socket"),
        (_closed, "not open (Bad file descriptor)"),
    ],
)
def test_what_is_no_listening_tcp_socket_is_refused(make: object, what: str) -> None:
    fd = make()  # type: ignore[operator]
    with pytest.raises(StartError) as refused:
        open_passed("systemd", fd, "web")
    assert f"systemd passed descriptor {fd} (web), which is {what}" in str(refused.value)
    if make is _file:
        os.close(fd)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"LISTEN_FDS": "1"},
        {"LISTEN_FDS": "1", "LISTEN_PID": "1"},
        {"LISTEN_FDS": "many", "LISTEN_PID": str(os.getpid())},
    ],
)
def test_variables_that_are_not_for_us_are_removed_and_not_believed(environ: dict[str, str]) -> None:
    given = {**environ, "LISTEN_FDNAMES": "web", "OTHER": "stays"}
    assert from_systemd(given).on_port(0) == ""
    assert given == {"OTHER": "stays"}
