"""How fast one client may ask: a token bucket by GCRA, in a table of fixed size that all workers share.

GCRA (ITU-T I.371, the virtual-scheduling form) needs one number a client: `due`, when its bucket is full again. A
request moves it by one `interval`, and is refused while it lies more than `slack` ahead. No timer refills anything, and
a client that was not heard of has simply a bucket that is full.

A key chooses a bucket of four cells, 64 bytes, one line of the processor's cache. A client that is in none of them
takes the cell that is due first: most often one that is due already, and says nothing that is still needed. So memory
does not grow, and a flood of addresses displaces those who ask least: whoever is at his limit is due last, and stays.

Nothing is locked. Two workers that write one cell in the same instant lose one of the two requests, and two new clients
that take one cell in the same instant share it until one of them takes another: both err by a request or so. `due` is a
time of the monotonic clock, which all processes of a machine share, and which is never believed to lie further ahead
than it can by the present figures: so they may change at any time.

This file knows neither addresses nor requests; time is passed in, in seconds.
"""

from __future__ import annotations

import mmap

CELLS = 1 << 18
"""Clients that are remembered; 4 MiB, of which only what is used is ever resident."""

_WAYS = 4  # cells a bucket
_WORDS = 2  # 64-bit words a cell: key, due
_ROUNDING = 1e-6  # seconds; so that who comes back exactly when he was told is not too early by a bit


class Pace:
    """The figures: one request every `interval` seconds, and `burst` of them at once (at least 1)."""

    __slots__ = ("interval", "slack")

    def __init__(self, interval: float, burst: int) -> None:
        self.interval = interval
        self.slack = interval * (burst - 1) + _ROUNDING


class Paces:
    """What is remembered of all clients. Made before the first fork; `cells` is a power of two."""

    __slots__ = ("_due", "_keys", "_mask")

    def __init__(self, cells: int = CELLS) -> None:
        if cells < _WAYS or cells & (cells - 1):
            raise ValueError(f"{cells} cells")
        memory = memoryview(mmap.mmap(-1, cells * _WORDS * 8))  # the views keep the mapping alive
        self._keys = memory.cast("q")
        self._due = memory.cast("d")
        self._mask = cells // _WAYS - 1

    def take(self, key: int, now: float, pace: Pace) -> float:
        """Let the client with this key (not 0) ask once more: 0.0, or seconds after which it may, and nothing taken."""
        first = (key & self._mask) * (_WAYS * _WORDS)
        place = first
        due = now
        for way in range(_WAYS):
            at = first + way * _WORDS
            if self._keys[at] == key:
                place = at
                due = self._due[at + 1]
                break
            if self._due[at + 1] < self._due[place + 1]:
                place = at
        ahead = due - now
        ahead = max(ahead, 0.0)
        if ahead > pace.slack + pace.interval:  # by other figures than these
            ahead = pace.slack + pace.interval
            self._due[place + 1] = now + ahead
        if ahead > pace.slack:
            return ahead - pace.slack
        self._due[place + 1] = now + ahead + pace.interval
        self._keys[place] = key
        return 0.0
