"""How fast one client may send requests: a token bucket by GCRA, in a table of fixed size that all workers share.

GCRA (ITU-T I.371, the virtual-scheduling form) needs one number per client: `due`, when its bucket is full again. A
request moves it by one `interval`, and is refused while it lies more than `slack` ahead. Nothing has to be refilled by
a timer, and an unknown client simply has a full bucket.

A key chooses a bucket of four cells, 64 bytes, one cache line. A client that is in none of them takes the cell that is
due first: most often one that is due already, and holds nothing that is still needed. So memory does not grow, and a
flood of addresses displaces the clients with the fewest requests: a client at its limit is due last, and stays.

Nothing is locked. Two workers that write one cell at the same instant lose one of the two requests, and two new clients
that take one cell at the same instant share it until one of them takes another: both err by a request or so. `due` is a
time of the monotonic clock, which all processes of a machine share, and counts as at most as far ahead as the present
figures allow: so these may change at any time.

This file knows neither addresses nor requests; time is passed in, in seconds.
"""

from __future__ import annotations

import mmap

CELLS = 1 << 18
"""Clients that are remembered; 4 MiB, of which only the used part is ever resident."""

_WAYS = 4  # cells per bucket
_WORDS = 2  # 64-bit words per cell: key, due
_ROUNDING = 1e-6  # seconds; a client that comes back exactly when it may must not be too early by a rounding error


class RateLimit:
    """The figures: one request every `interval` seconds, and `burst` of them at once (at least 1)."""

    __slots__ = ("interval", "slack")

    def __init__(self, interval: float, burst: int) -> None:
        self.interval = interval
        self.slack = interval * (burst - 1) + _ROUNDING


class RateLimiter:
    """The state of all clients. Made before the first fork; `cells` is a power of two."""

    __slots__ = ("_due", "_keys", "_mask")

    def __init__(self, cells: int = CELLS) -> None:
        if cells < _WAYS or cells & (cells - 1):
            raise ValueError(f"{cells} cells")
        memory = memoryview(mmap.mmap(-1, cells * _WORDS * 8))  # the views keep the mapping alive
        self._keys = memory.cast("q")
        self._due = memory.cast("d")
        self._mask = cells // _WAYS - 1

    def take(self, key: int, now: float, pace: RateLimit) -> float:
        """Count a request of the client with this key (not 0): 0.0, or the seconds to wait, and then nothing is
        counted.
        """
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
        if ahead > pace.slack + pace.interval:  # written with other figures than these
            ahead = pace.slack + pace.interval
            self._due[place + 1] = now + ahead
        if ahead > pace.slack:
            return ahead - pace.slack
        self._due[place + 1] = now + ahead + pace.interval
        self._keys[place] = key
        return 0.0

    def give_back(self, key: int, now: float, pace: RateLimit) -> None:
        """What was counted last of this client does not count after all."""
        first = (key & self._mask) * (_WAYS * _WORDS)
        for way in range(_WAYS):
            at = first + way * _WORDS
            if self._keys[at] == key:
                self._due[at + 1] = max(self._due[at + 1] - pace.interval, now)
                return
