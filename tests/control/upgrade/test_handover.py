"""What one supervisor hands to the next one: written by one side, read by the other."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator

import pytest

from lb.control.upgrade.handover import READY, VARIABLE, Handover, Takeover, from_predecessor
from lb.process.memfd import wrap_bytes
from lb.process.start_error import StartError


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def handed(sock: socket.socket, line: tuple[socket.socket, socket.socket], tickets: bytes = b"") -> Takeover:
    """As the successor sees it, in this process."""
    ours, theirs = line
    legacy = Handover((("http", sock), ("http", sock)), (), tickets, wrap_bytes(b"[]"))
    ours.send(tickets)
    said = legacy.environment({"KEPT": "1", "LISTEN_FDS": "3"}, theirs.detach(), os.dup(2))
    environ = dict(said)
    inside = json.loads(environ[VARIABLE])
    inside["listening"] = [(scheme, os.dup(fd)) for scheme, fd in inside["listening"]]
    environ[VARIABLE] = json.dumps(inside)
    found = from_predecessor(environ)
    assert found is not None
    assert environ == {"KEPT": "1"}  # what spoke of one process alone is not passed on
    return found


# spec: R3
def test_sockets_tickets_and_what_is_known_arrive(
    sock: socket.socket, line: tuple[socket.socket, socket.socket]
) -> None:
    found = handed(sock, line, b"keys of tickets")
    assert found.predecessor == os.getpid()
    assert found.tickets == b"keys of tickets"
    assert found.health == {}
    found.listening.close_unused()
    found.forget()
    os.close(found._stderr)


# spec: R3
def test_the_predecessor_is_told_that_the_successor_serves(
    sock: socket.socket, line: tuple[socket.socket, socket.socket]
) -> None:
    found = handed(sock, line)
    line[0].shutdown(socket.SHUT_WR)  # it retires
    found.succeed()
    assert line[0].recv(100) == READY
    found.listening.close_unused()
    os.close(found._stderr)


def test_a_process_that_was_started_otherwise_was_handed_nothing() -> None:
    assert from_predecessor({}) is None
    assert from_predecessor({VARIABLE: ""}) is None


@pytest.mark.parametrize(
    "text", ["{", "5", "{}", '{"from": 1, "line": 999, "stderr": 999, "listening": [], "admin": []}']
)
def test_what_does_not_come_from_an_upgrade_is_refused(text: str) -> None:
    environ = {VARIABLE: text}
    with pytest.raises(StartError, match="this value is not from there"):
        from_predecessor(environ)
    assert VARIABLE not in environ


def test_a_socket_that_several_slots_share_is_handed_over_once(sock: socket.socket) -> None:
    again = socket.socket(fileno=os.dup(sock.fileno()))
    with again:
        legacy = Handover((("http", sock), ("http", again)), (("http", sock),))
        assert legacy.descriptors() == [sock.fileno(), sock.fileno()]  # once of each kind
