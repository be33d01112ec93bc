"""One coarse timer for all connections of a worker: a wheel of slots that turns four times a second.

Moving a deadline later costs an assignment: the connection stays in its slot, and when the slot's turn comes it is
moved to a later one. Only a deadline that moves nearer is handled at once. So a request sets its timeouts without
touching the wheel. Times are seconds of the monotonic clock; a connection expires up to a slot's width late, never
early.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from lb.proxy.downstream import Downstream

WIDTH = 0.25
"""Seconds a slot."""

_SLOTS = 512
NEVER = 1e18
"""A deadline that never comes."""


class Deadlines:
    """The wheel. A connection's `deadline` says when it expires; `due` when the wheel will look at it. `on_error` gets
    a connection whose handling failed.
    """

    __slots__ = ("at", "now", "on_error", "slots")

    def __init__(self, now: float, on_error: Callable[[object, Exception], None]) -> None:
        self.now = now
        self.on_error = on_error
        self.at = 0
        self.slots: list[set[Downstream]] = [set() for _ in range(_SLOTS)]

    def watch(self, wire: Downstream, deadline: float) -> None:
        """Have this connection expire at `deadline`, whenever it would have expired before."""
        wire.deadline = deadline
        if wire.slot < 0 or deadline < wire.due:
            self._place(wire)

    def suspend(self, wire: Downstream) -> None:
        """Keep this connection from expiring until it is watched again."""
        wire.deadline = NEVER

    def _place(self, wire: Downstream) -> None:
        if wire.slot >= 0:
            self.slots[wire.slot].discard(wire)
        ahead = _SLOTS - 1
        if wire.deadline - self.now < (_SLOTS - 1) * WIDTH:
            ahead = max(int((wire.deadline - self.now) / WIDTH) + 1, 1)
            ahead = min(ahead, _SLOTS - 1)
        wire.due = self.now + ahead * WIDTH
        wire.slot = (self.at + ahead) % _SLOTS
        self.slots[wire.slot].add(wire)

    def forget(self, wire: Downstream) -> None:
        """Drop a connection that is closed."""
        if wire.slot >= 0:
            self.slots[wire.slot].discard(wire)
            wire.slot = -1

    def _look_at(self, wire: Downstream, now: float) -> None:
        wire.slot = -1
        if wire.closed:
            return
        if wire.deadline <= now:
            wire.deadline = NEVER
            try:
                wire.expired()
            except Exception as error:  # noqa: BLE001
                self._failed(wire, error)
        if not wire.closed and wire.slot < 0:
            self._place(wire)

    def _failed(self, wire: Downstream, error: Exception) -> None:
        with suppress(Exception):  # nothing is left that could report a failure of this
            self.on_error(wire, error)

    def advance(self, now: float) -> None:
        """Turn the wheel up to `now`, and call `expired` on every connection whose deadline has passed."""
        turns = min(int((now - self.now) / WIDTH), _SLOTS)
        for _ in range(turns):
            self.now += WIDTH
            self.at = (self.at + 1) % _SLOTS
            if not self.slots[self.at]:
                continue
            due = self.slots[self.at]
            self.slots[self.at] = set()
            for wire in due:
                # A failure of one must not keep the others of this slot from their turn.
                try:
                    self._look_at(wire, now)
                except Exception as error:  # noqa: BLE001
                    self._failed(wire, error)
        if now - self.now > WIDTH:
            self.now = now  # the process slept for more than one turn of the wheel
