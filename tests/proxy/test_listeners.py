"""The listening sockets of a worker: which are served, which rest, and which are handed over or emptied first."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator

import pytest

from lb.proxy.io.listener import Listener
from lb.proxy.io.poller import Poller
from lb.proxy.listeners import Listeners

REST = 0.1


class Counting(Listener):
    """Counts what it accepts, and closes it."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.anybody = asyncio.Event()

    def accepted(self, fd: int, _address: bytes, _port: int) -> None:
        os.close(fd)
        self.count += 1
        self.anybody.set()


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.setblocking(False)
        yield made


@pytest.fixture
async def poller() -> Poller:
    return Poller(asyncio.get_running_loop(), lambda *_: None)


def connect(sock: socket.socket) -> None:
    socket.create_connection(sock.getsockname()).close()


async def test_what_comes_is_accepted(poller: Poller, sock: socket.socket) -> None:
    listeners, listener = Listeners(poller, REST), Counting()
    listeners.listen(listener, sock)
    assert len(listeners) == 1
    connect(sock)
    await asyncio.wait_for(listener.anybody.wait(), 10)
    listeners.stop()
    assert len(listeners) == 0
    poller.close()


# spec: R4
async def test_what_waits_in_a_socket_that_is_given_up_is_accepted_first(poller: Poller, sock: socket.socket) -> None:
    listeners, listener = Listeners(poller, REST), Counting()
    listeners.listen(listener, sock)
    for _ in range(3):
        connect(sock)
    listeners.give_up(listener)
    assert (listener.count, len(listeners)) == (3, 0)
    poller.close()


# spec: R4
async def test_what_waits_in_one_that_is_handed_over_is_left_to_others(poller: Poller, sock: socket.socket) -> None:
    listeners, listener = Listeners(poller, REST), Counting()
    listeners.listen(listener, sock)
    connect(sock)
    listeners.hand_over_all()
    assert (listener.count, len(listeners)) == (0, 0)
    sock.accept()[0].close()  # it is still there
    poller.close()


# spec: L5
async def test_one_that_rests_listens_again_after_a_while(poller: Poller, sock: socket.socket) -> None:
    listeners, listener = Listeners(poller, REST), Counting()
    listeners.listen(listener, sock)
    listeners.rest(listener)
    connect(sock)
    listeners.end_rests()  # too early
    await asyncio.sleep(0)
    assert listener.count == 0
    poller.now += REST
    listeners.end_rests()
    await asyncio.wait_for(listener.anybody.wait(), 10)
    listeners.stop()
    listeners.end_rests()  # nothing is left to listen
    poller.close()
