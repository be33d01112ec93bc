"""Time as a number: an event loop whose callbacks run when a dialogue says so, and a poller whose clock it is."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Any

from lb.proxy.io.poller import Poller

BEGIN = 1000.0


class Handle:
    """A call that is to be made, unless it is cancelled."""

    def __init__(self, callback: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self._callback: Callable[..., object] | None = callback
        self._arguments = arguments

    def cancel(self) -> None:
        self._callback = None

    def run(self) -> None:
        if self._callback is not None:
            self._callback(*self._arguments)


class SteppedLoop:
    """As much of an event loop as the proxy uses. `now` is its time."""

    def __init__(self) -> None:
        self.now = BEGIN
        self._ready: deque[Handle] = deque()
        self._timers: list[tuple[float, int, Handle]] = []
        self._order = count()
        self.failures: list[BaseException] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[..., object], *arguments: Any) -> Handle:
        handle = Handle(callback, arguments)
        self._ready.append(handle)
        return handle

    def call_at(self, when: float, callback: Callable[..., object], *arguments: Any) -> Handle:
        handle = Handle(callback, arguments)
        heapq.heappush(self._timers, (when, next(self._order), handle))
        return handle

    def call_later(self, delay: float, callback: Callable[..., object], *arguments: Any) -> Handle:
        return self.call_at(self.now + delay, callback, *arguments)

    def add_reader(self, _fd: int, _callback: Callable[..., object]) -> None:
        """No descriptor is ever ready."""

    def remove_reader(self, _fd: int) -> None:
        """As above."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.failures.append(context["exception"])

    def run_ready(self) -> bool:
        """Make the calls that were asked for so far; whether there were any."""
        ready, self._ready = self._ready, deque()
        for handle in ready:
            handle.run()
        return bool(ready)

    def run_timer(self, until: float) -> bool:
        """Let time pass up to the next timer, if that is not after `until`, and call it; False if there is none."""
        if not self._timers or self._timers[0][0] > until:
            self.now = until
            return False
        when, _, handle = heapq.heappop(self._timers)
        self.now = max(self.now, when)
        handle.run()
        return True


class SteppedPoller(Poller):
    """A poller without sockets, whose clock is the loop's."""

    def tick(self) -> float:
        now: float = self.loop.now  # type: ignore[attr-defined]  # it is a SteppedLoop
        self.now = now
        return now
