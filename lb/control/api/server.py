"""Accepts commands of other processes over a Unix socket, and answers each: a line of JSON in, a line of JSON out.

    {"command": "reload"}  →  {"ok": true, …}

It belongs to the supervisor's selector and never waits, neither for a silent client nor for one that does not read. It
knows lines and clients; a handler carries out the commands, and may answer at once or much later.
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
_TIMEOUT = 10.0  # seconds for a request to arrive, and for an answer to be read
_REST = 1.0  # seconds until the next accept after the system ran out of descriptors
_CHUNK = 65536


@dataclass(slots=True, eq=False)
class _Client:
    """`deadline` is None while the command runs."""

    connection: socket.socket
    deadline: float | None
    received: bytes = b""
    unsent: bytes = b""


class Commands:
    """Serves `listener` while it is registered; `handle` gets a command's name and a function for its one answer."""

    def __init__(self, listener: socket.socket, handle: Handler) -> None:
        self._listener = listener
        self._handle = handle
        self._clients: list[_Client] = []
        self._failures = RepeatedFailures()
        self._rests_until: float | None = None  # set: no client is accepted
        self._selector: selectors.BaseSelector | None = None

    def register(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def move(self, listener: socket.socket) -> None:
        """Serve this listener instead; clients stay."""
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
        """Closes clients that took too long, and accepts again after a rest."""
        if self._rests_until is not None and self._rests_until <= now:
            self._resume()
        for client in list(self._clients):
            if client.deadline is not None and client.deadline <= now:
                self._end(client)

    def close(self) -> None:
        """Accepts no more commands; clients that wait for an answer still get it."""
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
        assert self._selector is not None  # noqa: S101  the selector called this
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # it has left already
        except OSError as error:
            # There are no descriptors. The client stays in the queue; without a pause, the error would repeat for ever.
            self._failures.tell("accepting a command", error)
            self._make_room()
            self._pause()
            self._rests_until = time.monotonic() + _REST
            return
        connection.setblocking(False)
        if len(self._clients) >= _MOST_CLIENTS and not self._make_room():
            connection.close()
            return
        client = _Client(connection, time.monotonic() + _TIMEOUT)
        self._clients.append(client)
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._readable(client))

    def _make_room(self) -> bool:
        """Closes the client that has been silent for longest."""
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
            self._end(client)  # its command continues
            return
        if client.deadline is None or client.unsent:
            return  # one command per connection
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
            self._answer(client, {"ok": False, "error": "the command failed unexpectedly; the service's log says why"})

    def _answer(self, client: _Client, answer: Answer) -> None:
        if client not in self._clients:
            return  # the client did not wait
        client.deadline = time.monotonic() + _TIMEOUT
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
        """Closes it, and drops an answer that may still come."""
        if client not in self._clients or self._selector is None:
            return
        self._clients.remove(client)
        self._selector.unregister(client.connection)
        client.connection.close()
