"""Accepting: who has come, and what the system refuses."""

from __future__ import annotations

import asyncio
import errno
import os
import socket

import pytest

from lb.proxy.io.listener import Listener
from lb.proxy.io.poller import Poller


class Noting(Listener):
    """Notes who came, and what was refused."""

    def __init__(self) -> None:
        super().__init__()
        self.came: list[tuple[bytes, int]] = []
        self.anybody = asyncio.Event()
        self.errors: list[int] = []

    def accepted(self, fd: int, address: bytes, port: int) -> None:
        assert not os.get_blocking(fd)
        os.close(fd)
        self.came.append((address, port))
        self.anybody.set()

    def refused(self, error: int) -> None:
        self.errors.append(error)


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
async def test_the_peer_is_told_by_its_address(family: socket.AddressFamily, host: str) -> None:
    poller = Poller(asyncio.get_running_loop(), lambda *_: None)
    with socket.create_server((host, 0), family=family) as sock:
        sock.setblocking(False)
        listener = Noting()
        listener.listen(poller, sock)
        with socket.create_connection(sock.getsockname()[:2]) as client:
            await asyncio.wait_for(listener.anybody.wait(), 10)
            assert listener.came == [(host.encode(), client.getsockname()[1])]
        listener.rest()
        listener.rest()  # it rests already
        assert listener.errors == []
    poller.close()


async def test_a_socket_that_cannot_be_watched_changes_nothing() -> None:
    poller = Poller(asyncio.get_running_loop(), lambda *_: None)
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setblocking(False)
    fd = os.dup(sock.fileno())
    listener = Noting()
    listener.listen(poller, sock)
    with pytest.raises(OSError) as caught:
        Noting().listen(poller, sock)  # twice in one epoll
    assert caught.value.errno == errno.EEXIST
    listener.stop()
    assert (listener.came, listener.errors) == ([], [])
    os.close(fd)
    sock.close()
    poller.close()
