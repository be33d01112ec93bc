"""The listening sockets that one worker serves, and how they change.

A socket that another worker takes over is left with its queue; one whose address is given up is emptied first. Knows
no configuration: sockets are identified by inode numbers (process/child_config.py).
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from lb.process.child_config import ChildConfig, inode
from lb.proxy.engine import Engine
from lb.proxy.http1.accept import ClientListener
from lb.tls.handshake.contexts import Contexts


@dataclass(frozen=True, slots=True)
class ListeningSocket:
    """A listening socket of this worker; `scheme` is b"http" or b"https"."""

    scheme: bytes
    socket: socket.socket


class WorkerListeners:
    """The sockets on which `engine` accepts connections."""

    def __init__(self, engine: Engine, contexts: Contexts) -> None:
        self._engine = engine
        self._contexts = contexts
        self._served: dict[int, tuple[ListeningSocket, ClientListener]] = {}

    def __contains__(self, number: int) -> bool:
        return number in self._served

    def serve(self, listener: ListeningSocket) -> None:
        """Accept connections here, too; a second descriptor of a served socket is closed."""
        number = inode(listener.socket)
        if number in self._served:
            listener.socket.close()
            return
        contexts = self._contexts if listener.scheme == b"https" else None
        accepting = ClientListener(self._engine, listener.scheme, contexts)
        self._engine.listen(accepting, listener.socket)
        self._served[number] = listener, accepting

    def change(self, revision: ChildConfig, new: Mapping[int, socket.socket]) -> None:
        """Serve only what the revision says; `new` are sockets that came with it."""
        wanted = {number: scheme for scheme, number in revision.listeners}
        for number in [number for number in self._served if number not in wanted]:
            listener, accepting = self._served.pop(number)
            if number in revision.left:
                self._engine.listeners.give_up(accepting)
            else:
                self._engine.listeners.hand_over(accepting)
            listener.socket.close()
        for number, scheme in wanted.items():
            if number not in self._served:
                self.serve(ListeningSocket(scheme, new[number]))
            elif self._served[number][0].scheme != scheme:
                listener, accepting = self._served.pop(number)
                self._engine.listeners.hand_over(accepting)
                self.serve(ListeningSocket(scheme, listener.socket))
        for number, sock in new.items():
            if number not in self._served or self._served[number][0].socket is not sock:
                sock.close()

    def close(self) -> None:
        """The engine accepts no more: close the sockets."""
        for listener, _ in self._served.values():
            listener.socket.close()
        self._served.clear()
