"""The listening sockets that one worker serves, and those that rest because the system refuses a connection.

It knows listeners and time. How a lack of descriptors is handled is the engine's business.
"""

from __future__ import annotations

import socket
from contextlib import suppress

from lb.proxy.io.listener import Listener
from lb.proxy.io.poller import Poller


class Listeners:
    """The listeners of one worker; one that rests does so for `rest` seconds, and until the next check."""

    __slots__ = ("_poller", "_rest", "_resting", "_sockets")

    def __init__(self, poller: Poller, rest: float) -> None:
        self._poller = poller
        self._rest = rest
        self._sockets: dict[Listener, socket.socket] = {}
        self._resting: dict[Listener, float] = {}  # → since when

    def __len__(self) -> int:
        return len(self._sockets)

    def listen(self, listener: Listener, sock: socket.socket) -> None:
        """Let this listener serve this listening socket."""
        listener.listen(self._poller, sock)
        self._sockets[listener] = sock

    def hand_over(self, listener: Listener) -> None:
        """Leave what is queued in this listener's socket to the other process that has it."""
        listener.rest()
        self._sockets.pop(listener, None)

    def hand_over_all(self) -> None:
        """Do the same for all of them."""
        for listener in list(self._sockets):
            self.hand_over(listener)

    def give_up(self, listener: Listener) -> None:
        """Accept what is queued in this listener's socket, and no more: no other process will."""
        listener.stop()
        self._sockets.pop(listener, None)

    def stop(self) -> None:
        """Accept what has arrived so far, and no more; the sockets stay open for the next process."""
        for listener in self._sockets:
            listener.stop()
        self._sockets.clear()

    def rest(self, listener: Listener) -> None:
        """Let it rest a moment, so that a full worker does more than poll its queue."""
        listener.rest()
        self._resting[listener] = self._poller.now

    def end_rests(self) -> None:
        """Let listeners that have rested for a moment listen again; one that cannot rests on."""
        for listener, since in list(self._resting.items()):
            sock = self._sockets.get(listener)
            if sock is None:
                del self._resting[listener]
            elif self._poller.now >= since + self._rest:
                with suppress(OSError):  # it rests on, and the others need not
                    listener.listen(self._poller, sock)
                    del self._resting[listener]
