"""Tells connections that their sockets are ready: the uncompiled twin of `poller.pyx`.

Where the system has epoll, all sockets are in one epoll descriptor, the only one that the event loop knows: a round
costs one call, and no event is lost. (libuv stops reporting a socket at its first error; after a reset, bytes that came
with it would be the last event.) Elsewhere the loop itself watches the sockets. Either way a socket is reported until
it has been read.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

_TURNS = 0.002  # seconds of a round that turns may take
_IN = select.POLLIN
_READ = select.POLLIN | getattr(select, "EPOLLRDHUP", 0)
_WRITE = select.POLLOUT
_BROKEN = select.POLLERR
_ENDED = select.POLLERR | select.POLLHUP  # reported unasked


class Watched:
    """Something that a poller watches."""

    __slots__ = ()

    def on_turn(self) -> None:
        """The turn that it asked for (`Poller.later`)."""


class Poller:
    """One worker's poller. `now` is the time of this round, in seconds of the monotonic clock; `on_error` is told of a
    handler that failed, and whose it was. `ready_count` is how many had something to do in the last round.
    """

    __slots__ = (
        "_again",
        "_breakers",
        "_epoll",
        "_gone",
        "_on_error",
        "_readers",
        "_scheduled",
        "_writers",
        "loop",
        "now",
        "ready_count",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, on_error: Callable[[Watched, Exception], object]) -> None:
        self.loop = loop
        self._on_error = on_error
        self._again: list[Watched] = []
        self._scheduled = False
        self.ready_count = 0
        self._readers: dict[int, Callable[[], None]] = {}
        self._writers: dict[int, Callable[[], None]] = {}
        self._breakers: dict[int, Callable[[], None]] = {}
        self._gone: set[int] = set()
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        if self._epoll is not None:
            loop.add_reader(self._epoll.fileno(), self._round)
        self.now = monotonic()

    def close(self) -> None:
        """Report nothing any more."""
        self._again.clear()
        if self._epoll is not None:
            self.loop.remove_reader(self._epoll.fileno())
            self._epoll.close()

    def tick(self) -> float:
        """Read the clock, and keep it as `now` until the next round. Returns seconds of the monotonic clock."""
        self.now = monotonic()
        return self.now

    def add_reader(self, fd: int, callback: Callable[[], None]) -> None:
        """Call this whenever there is something to read; it must not raise. Raises OSError."""
        if self._epoll is None:
            self.loop.add_reader(fd, self._call, callback)
        elif fd in self._writers:
            self._epoll.modify(fd, _READ | _WRITE)
        else:
            self._epoll.register(fd, _READ)
        self._readers[fd] = callback  # last: a refused descriptor must not be found under the number later

    def add_writer(self, fd: int, callback: Callable[[], None]) -> None:
        """Call this whenever there is room to write; it must not raise. Raises OSError."""
        if self._epoll is None:
            self.loop.add_writer(fd, self._call, callback)
        elif fd in self._readers:
            self._epoll.modify(fd, _READ | _WRITE)
        elif fd in self._breakers:
            self._epoll.modify(fd, _WRITE)
        else:
            self._epoll.register(fd, _WRITE)
        self._writers[fd] = callback

    def remove_reader(self, fd: int) -> None:
        """Undo `add_reader`; called before the descriptor is closed."""
        del self._readers[fd]
        if self._epoll is None:
            self.loop.remove_reader(fd)
        elif fd in self._writers:
            self._epoll.modify(fd, _WRITE)
        else:
            self._forget(self._epoll, fd)

    def remove_writer(self, fd: int) -> None:
        """Undo `add_writer`; called before the descriptor is closed."""
        del self._writers[fd]
        if self._epoll is None:
            self.loop.remove_writer(fd)
        elif fd in self._readers:
            self._epoll.modify(fd, _READ)
        elif fd in self._breakers:
            self._epoll.modify(fd, 0)
        else:
            self._forget(self._epoll, fd)

    def add_breaker(self, fd: int, callback: Callable[[], None]) -> None:
        """Call this once if the connection breaks while it has no reader; it must not raise. Raises OSError. Without
        epoll it is never called.
        """
        if self._epoll is not None:
            if fd not in self._writers:
                self._epoll.register(fd, 0)
            self._breakers[fd] = callback

    def remove_breaker(self, fd: int) -> None:
        """Undo `add_breaker`, whether it was called or not; called before a reader is added."""
        if self._epoll is not None and self._breakers.pop(fd, None) is not None and fd not in self._writers:
            self._forget(self._epoll, fd)

    def _forget(self, epoll: select.epoll, fd: int) -> None:
        epoll.unregister(fd)
        self._gone.add(fd)  # events of this round may name it, when it may already be another's

    def _round(self) -> None:
        """Handle everything that is ready now."""
        if self._epoll is None:
            return
        self.now = monotonic()
        gone = self._gone
        gone.clear()
        ready = self._epoll.poll(0)
        self.ready_count = len(ready) + len(self._again)  # one with more to read is ready again, and asks for no turn
        readers = self._readers
        for fd, events in ready:
            if events != _WRITE and fd not in gone:
                reader = readers.get(fd)
                if reader is not None:
                    reader()
                if events == _IN:
                    continue
            if events & ~_READ and fd not in gone:
                writer = self._writers.get(fd)
                if writer is not None:
                    writer()
            if events & _ENDED and fd in self._breakers and fd not in gone:
                breaker = self._breakers[fd]
                self.remove_breaker(fd)  # an end is reported for as long as it is asked for
                if events & _BROKEN:
                    breaker()

    def _call(self, callback: Callable[[], None]) -> None:
        self.now = monotonic()
        callback()

    def later(self, watched: Watched) -> None:
        """Give this one a turn in the next round, without an event."""
        self._again.append(watched)
        self._schedule()

    def _schedule(self) -> None:
        """Make sure that there is a next round, whether anything becomes ready or not."""
        if not self._scheduled:
            self.loop.call_soon(self.poll)
            self._scheduled = True

    def failed(self, watched: Watched, error: Exception) -> None:
        """A handler raised: the owner of this poller decides what becomes of the connection. Never raises: the others
        get their turn whatever happens to one.
        """
        try:
            self._on_error(watched, error)
        except Exception as second:  # noqa: BLE001
            with suppress(Exception):  # memory may be short
                self.loop.call_exception_handler({"message": "a connection could not be ended", "exception": second})

    def poll(self) -> None:
        """Give a turn to each that asked for one; only to some of them now if that takes long."""
        self._scheduled = False
        self.now = monotonic()
        again = self._again
        self._again = []
        self.ready_count = len(again) if self._epoll is None else max(self.ready_count, len(again))
        until = self.now + _TURNS
        done = 0
        try:
            for watched in again:
                done += 1
                try:
                    watched.on_turn()
                except Exception as error:  # noqa: BLE001 - a fault of one connection must not cost the others theirs
                    self.failed(watched, error)
                if self.tick() >= until:
                    break
        finally:
            if done < len(again):
                # New events come before those that have more than was read.
                self._again[:0] = again[done:]
                self._schedule()
