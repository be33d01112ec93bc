"""Accepts connections: the uncompiled twin of `listener.pyx`.

It knows sockets and addresses; derived classes decide what becomes of an accepted descriptor.
"""

from __future__ import annotations

import errno
import os
import socket

from lb.proxy.io.poller import Poller, Watched

_BURST = 16  # connections accepted before others have their turn
_QUEUE = 1024  # connections accepted at the end: a flood must not keep us here
_NONE_NOW = frozenset((errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR, errno.ECONNABORTED))


class Listener(Watched):
    """One listening socket."""

    __slots__ = ("_socket", "poller")

    _socket: socket.socket | None

    def __init__(self) -> None:
        self._socket = None

    def listen(self, poller: Poller, sock: socket.socket) -> None:
        """From now on, accept what arrives at this listening socket, which must not block.

        Raises OSError; then nothing has changed.
        """
        self.poller = poller
        poller.add_reader(sock.fileno(), self._on_readable)
        self._socket = sock

    def rest(self) -> None:
        """Leave the queue alone until `listen` is called again."""
        if self._socket is not None:
            self.poller.remove_reader(self._socket.fileno())
            self._socket = None

    def stop(self) -> None:
        """Accept what has arrived so far, and no more; the socket itself stays open for the next process."""
        for _ in range(_QUEUE):
            if not self._accept():
                break
        self.rest()

    def _on_readable(self) -> None:
        try:
            for _ in range(_BURST):
                if not self._accept():
                    return
        except Exception as error:  # noqa: BLE001 - a fault with one connection must not end the accepting of others
            self.poller.failed(self, error)

    def _accept(self) -> bool:
        """Accept one connection; returns whether there may be more."""
        if self._socket is None:
            return False
        try:
            accepted, peer = self._socket.accept()
        except OSError as error:
            if error.errno not in _NONE_NOW:
                self.refused(error.errno or 0)
            return False
        accepted.setblocking(False)
        self.accepted(accepted.detach(), peer[0].partition("%")[0].encode(), peer[1])
        return True

    def accepted(self, fd: int, address: bytes, port: int) -> None:  # noqa: ARG002 - for derived classes
        """A connection from `address`, which does not block; the callee owns it."""
        os.close(fd)

    def refused(self, error: int) -> None:
        """The system refuses a descriptor (EMFILE, ENFILE, ENOBUFS): derived classes make room."""
