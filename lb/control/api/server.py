"""Takes commands of other processes over a Unix socket, and gives each its answer: a line of JSON in, a line out.

    {"command": "reload"}  →  {"ok": true, …}

It belongs to the supervisor's selector and never waits: neither for somebody who says nothing, nor for somebody who
does not read. It knows lines and clients; what a command does is the business of whoever handles it, who may answer at
once or much later.
"""

from __future__ import annotations

import json
import logging
import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lb.process.every import RepeatedFailures

log = logging.getLogger("lb.control")

Answer = dict[str, Any]
Reply = Callable[[Answer], None]
Handler = Callable[[str, Reply], None]

_MOST_CLIENTS = 16
_LONGEST = 4096  # bytes of a request
_PATIENCE = 10.0  # seconds for a request to come, and for an answer to be read
_REST = 1.0  # seconds until the next client is accepted after the system had no descriptor for one
_CHUNK = 65536


@dataclass(slots=True, eq=False)
class _Client:
    """`deadline` is None while the answer is being worked on."""

    connection: socket.socket
    deadline: float | None
    received: bytes = b""
    unsent: bytes = b""


class Commands:
    """Serves `listener` as long as it is registered; `handle` gets a command's name and how to answer it, once."""

    def __init__(self, listener: socket.socket, handle: Handler) -> None:
        self._listener = listener
        self._handle = handle
        self._clients: list[_Client] = []
        self._failures = RepeatedFailures()
        self._rests_until: float | None = None  # set: nobody is accepted
        self._selector: selectors.BaseSelector | None = None

    def register(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def move(self, listener: socket.socket) -> None:
        """Serve this one instead; clients stay."""
        self._pause()
        self._listener.close()
        self._listener = listener
        self._resume()

    def _pause(self) -> None:
        if self._selector is not None and self._rests_until is None and self._listener.fileno() >= 0:
            self._selector.unregister(self._listener)

    def _resume(self) -> None:
        self._rests_until = None
        if self._selector is not None:
            self._selector.register(self._listener, selectors.EVENT_READ, self._accept)

    @property
    def due(self) -> float | None:
        """When `expire` has something to do, in seconds of the monotonic clock."""
        deadlines = (self._rests_until, *(client.deadline for client in self._clients))
        return min((at for at in deadlines if at is not None), default=None)

    def expire(self, now: float) -> None:
        """Ends those who took too long, and accepts again after a rest."""
        if self._rests_until is not None and self._rests_until <= now:
            self._resume()
        for client in list(self._clients):
            if client.deadline is not None and client.deadline <= now:
                self._end(client)

    def close(self) -> None:
        """Takes no more commands; who waits for an answer still gets it."""
        self._pause()
        self._rests_until = None
        for client in list(self._clients):
            if client.deadline is not None and not client.unsent:
                self._end(client)

    def forget(self) -> None:
        """In a child: closes what is the supervisor's alone."""
        for client in self._clients:
            client.connection.close()

    def _accept(self) -> None:
        assert self._selector is not None  # noqa: S101  it called us
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # it has gone already
        except OSError as error:
            # There are no descriptors. It is still there the next time; asked again at once, the system would say so
            # without end.
            self._failures.tell("accepting a command", error)
            self._make_room()
            self._pause()
            self._rests_until = time.monotonic() + _REST
            return
        connection.setblocking(False)
        if len(self._clients) >= _MOST_CLIENTS and not self._make_room():
            connection.close()
            return
        client = _Client(connection, time.monotonic() + _PATIENCE)
        self._clients.append(client)
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._readable(client))

    def _make_room(self) -> bool:
        """Ends the client that has been silent for longest."""
        for client in self._clients:
            if client.deadline is not None:
                self._end(client)
                return True
        return False

    def _readable(self, client: _Client) -> None:
        try:
            data = client.connection.recv(_LONGEST)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end(client)  # what it asked for goes on
            return
        if client.deadline is None or client.unsent:
            return  # one command a connection
        client.received += data
        line, newline, _ = client.received.partition(b"\n")
        if newline:
            self._ask(client, line)
        elif len(client.received) > _LONGEST:
            self._answer(client, {"ok": False, "error": "the request is too long"})

    def _ask(self, client: _Client, line: bytes) -> None:
        try:
            command = json.loads(line)["command"]
        except (ValueError, TypeError, KeyError, RecursionError):
            command = None
        if not isinstance(command, str):
            self._answer(client, {"ok": False, "error": 'a request is {"command": NAME} on one line'})
            return
        client.deadline = None
        try:
            self._handle(command, lambda answer: self._answer(client, answer))
        except Exception:
            log.exception("the command %r failed", command)
            self._answer(client, {"ok": False, "error": "it failed unexpectedly; the service's log says how"})

    def _answer(self, client: _Client, answer: Answer) -> None:
        if client not in self._clients:
            return  # it did not wait
        client.deadline = time.monotonic() + _PATIENCE
        client.unsent = json.dumps(answer).encode() + b"\n"
        self._send(client)

    def _send(self, client: _Client) -> None:
        assert self._selector is not None  # noqa: S101  there is a client
        try:
            client.unsent = client.unsent[client.connection.send(client.unsent[:_CHUNK]) :]
        except BlockingIOError:
            pass
        except OSError:
            client.unsent = b""
        if client.unsent:
            self._selector.modify(client.connection, selectors.EVENT_WRITE, lambda: self._send(client))
        else:
            self._end(client)

    def _end(self, client: _Client) -> None:
        """Closes it, and forgets an answer that may still come."""
        if client not in self._clients or self._selector is None:
            return
        self._clients.remove(client)
        self._selector.unregister(client.connection)
        client.connection.close()
