"""From the sockets that there are to those that are asked for: what stays, what comes, what goes."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lb.config.model import ListenAddress
from lb.process.start_error import StartError
from lb.sockets import bind as binding
from lb.sockets.bind import BoundAddress, bind_all
from lb.sockets.diff import SocketDiff, rebind
from tests.e2e.harness import process
from tests.e2e.harness.instance import reserve

LOCAL = "127.0.0.1"


def address(host: str = LOCAL, port: int = 0) -> ListenAddress:
    return ListenAddress(host=host, port=port)


@pytest.fixture(autouse=True)
def _nothing_is_lost() -> Iterator[None]:
    before = process.open_files(os.getpid())
    yield
    assert process.open_files(os.getpid()) == before


@contextmanager
def bound(*wanted: tuple[str, ListenAddress], slots: int = 2) -> Iterator[tuple[BoundAddress, ...]]:
    """The sockets that there are; each is closed in the end, whoever has it then."""
    there = bind_all(wanted, slots)
    yield there
    for one in there:
        for sock in one.sockets:
            sock.close()


def close(rebound: SocketDiff) -> None:
    for one in rebound.bound:
        for sock in one.sockets:
            sock.close()
    rebound.close_left()


def listens(sock: socket.socket) -> bool:
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def answers(port: int, host: str = LOCAL) -> bool:
    try:
        socket.create_connection((host, port), 5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_what_is_asked_for_again_stays_as_it_is() -> None:
    with bound(("http", address()), ("https", address())) as there:
        wanted = [(one.scheme, address(port=one.port)) for one in there]
        rebound = rebind(there, wanted, 2)
        assert rebound.bound == there
        assert (rebound.left, rebound.new, rebound.not_listening) == ((), [], [])
        close(rebound)


def test_a_port_that_the_system_picked_stays() -> None:
    wanted = [("http", address()), ("https", address()), ("http", address())]
    with bound(*wanted) as there:
        rebound = rebind(there, wanted, 2)
        assert rebound.bound == there
        close(rebound)


@pytest.mark.parametrize(
    ("before", "slots", "after"),
    [
        (2, 4, 4),
        (4, 1, 4),  # those of a worker that goes are somebody else's
        (4, 2, 4),
        (4, 3, 6),  # as many for each
        (1, 1, 1),
        (200, 150, 200),  # but not without end
    ],
)
def test_the_number_of_sockets_never_falls(before: int, slots: int, after: int) -> None:
    with bound(("http", address()), slots=before) as there:
        rebound = rebind(there, [("http", address())], slots)
        [one] = rebound.bound
        assert len(one.sockets) == after
        assert one.sockets[:before] == there[0].sockets
        assert {sock.getsockname()[1] for sock in one.sockets} == {there[0].port}
        more = list(one.sockets[before:])
        assert rebound.new == rebound.not_listening == more
        assert not any(map(listens, more))
        rebound.listen()
        assert all(map(listens, more))
        close(rebound)


def test_what_is_new_listens_at_once_and_closes_when_given_up() -> None:
    with bound(("http", address())) as there:
        rebound = rebind(there, [("http", address()), ("http", address())], 2)
        port = rebound.bound[1].port
        assert answers(port)
        assert answers(there[0].port)
        rebound.give_up()
        assert not answers(port)
        assert answers(there[0].port)


def test_what_is_left_listens_until_it_is_closed() -> None:
    with bound(("http", address()), ("http", address())) as there:
        port = there[0].port
        rebound = rebind(there, [("http", address(port=there[1].port))], 2)
        assert rebound.bound == there[1:]
        assert answers(port)
        rebound.close_left()
        assert not answers(port)
        close(rebound)


def test_another_scheme_keeps_the_sockets() -> None:
    with bound(("http", address())) as there:
        rebound = rebind(there, [("https", address(port=there[0].port))], 2)
        [one] = rebound.bound
        assert (one.scheme, one.sockets) == ("https", there[0].sockets)
        assert rebound.left == ()
        close(rebound)


@pytest.mark.parametrize(("before", "after"), [(LOCAL, "0.0.0.0"), ("0.0.0.0", LOCAL), (LOCAL, "127.0.0.2")])
def test_an_address_within_another_one_of_ours_is_not_taken(before: str, after: str) -> None:
    with bound(("http", address(before))) as there:
        port = there[0].port
        rebound = rebind(there, [("http", address(after, port))], 2)
        assert len(rebound.left) == 2
        rebound.listen()
        rebound.close_left()
        assert answers(port, LOCAL if after == "0.0.0.0" else after)
        close(rebound)


def test_every_address_becomes_those_of_one_family() -> None:
    with bound(("http", address(""))) as there:
        port = there[0].port
        rebound = rebind(there, [("http", address("0.0.0.0", port))], 2)
        assert rebound.bound == there[:1]
        assert rebound.left == there[1].sockets
        close(rebound)


def test_what_somebody_else_has_is_refused_and_nothing_has_changed() -> None:
    with bound(("http", address())) as there, reserve() as foreign:
        foreign.listen()
        port = foreign.getsockname()[1]
        wanted = [("http", address()), ("http", address()), ("https", address(port=port))]
        before = process.open_files(os.getpid())
        with pytest.raises(StartError, match=f"cannot listen on https://{LOCAL}:{port}: the port is in use"):
            rebind(there, wanted, 4)
        assert process.open_files(os.getpid()) == before
        assert answers(there[0].port)


def test_a_queue_that_cannot_be_divided_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binding, "_SPREADS", False)
    with bound(("http", address()), slots=1) as there:
        rebound = rebind(there, [("http", address())], 3)
        [one] = rebound.bound
        assert len({os.fstat(sock.fileno()).st_ino for sock in one.sockets}) == 1
        assert len(one.sockets) == 3
        assert rebound.not_listening == []
        close(rebound)
