"""How each worker sees its instances, in shared memory, for the metrics. One page per worker slot.

A page identifies its instances by a digest of their names, since workers change their configuration one by one: a
reader uses only pages about the instances that it asks for. Nothing is decided by these figures, so one that is read
while it is being written may mix two moments.
"""

from __future__ import annotations

import mmap
import os
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from lb.errors import CAUSES
from lb.routing.outlier import BAD_ANSWER

Name = tuple[str, str, str]
"""App, environment, and address as it is configured."""

FIGURES = 6
"""Figures per instance, in this order: how many addresses it has, how many of them get requests, how many requests
these are serving, how many of them are failing, the number of the last failure's cause (0: there was none), and when
that was, in whole seconds of the monotonic clock, which all processes share."""

_CODES = ("", *CAUSES, BAD_ANSWER)
NUMBERS: dict[str, int] = {code: number for number, code in enumerate(_CODES)}
"""The number of each cause code; 0 means no cause."""

_DIGEST = 4  # cells of four bytes


@dataclass(frozen=True, slots=True)
class InstanceLoad:
    """One configured instance, all workers together: how many (address, worker) pairs there are, how many of them get
    requests, and how many requests it is serving. `failing` of the pairs failed last time; `cause` is the code of the
    last failure ("": there was none), at `failed_at` in seconds of the monotonic clock.
    """

    pairs: int
    up: int
    in_flight: int
    failing: int = 0
    cause: str = ""
    failed_at: int = 0


class GaugePage:
    """One worker's figures."""

    __slots__ = ("_cells",)

    def __init__(self, cells: memoryview) -> None:
        self._cells = cells

    def store(self, about: array[int], figures: array[int]) -> None:
        """Write `figures` of the instances whose digest is `about`, in their order; no effect if there are too many."""
        fits = len(figures) <= len(self._cells) - _DIGEST
        if not fits or self._cells[:_DIGEST] != about:
            self._cells[:_DIGEST] = array("i", [0] * _DIGEST)
        if fits:
            self._cells[_DIGEST : _DIGEST + len(figures)] = figures
            self._cells[:_DIGEST] = about


class InstanceGauges:
    """The pages of `slots` workers, each with room for `capacity` instances. Made before the workers are.

    `memory` is a descriptor for them: then the system reserves nothing for unused slots, which are most.
    """

    def __init__(self, slots: int, capacity: int, memory: int = -1) -> None:
        self._length = _DIGEST + FIGURES * capacity
        size = slots * self._length * array("i").itemsize
        if memory >= 0:
            os.ftruncate(memory, size)
        self._cells = memoryview(mmap.mmap(memory, size)).cast("i")

    def page(self, slot: int) -> GaugePage:
        """The page of a slot, counted from 0."""
        return GaugePage(self._page(slot))

    def total(self, names: Sequence[Name], slots: Iterable[int]) -> list[InstanceLoad]:
        """For each of these instances the sum over the workers in these slots; empty if none has reported."""
        about, length = digest(names), FIGURES * len(names)
        if _DIGEST + length > self._length:
            return []
        pages = [page[_DIGEST : _DIGEST + length] for page in map(self._page, slots) if page[:_DIGEST] == about]
        if not pages:
            return []
        return [_together([page[at : at + FIGURES].tolist() for page in pages]) for at in range(0, length, FIGURES)]

    def _page(self, slot: int) -> memoryview:
        return self._cells[slot * self._length : (slot + 1) * self._length]


def _together(reports: list[list[int]]) -> InstanceLoad:
    pairs, up, in_flight, failing = (sum(figures) for figures in zip(*(one[:4] for one in reports), strict=True))
    failed_at, number = max((one[5], one[4]) for one in reports)
    return InstanceLoad(pairs, up, in_flight, failing, _CODES[number] if 0 < number < len(_CODES) else "", failed_at)


def digest(names: Iterable[Name]) -> array[int]:
    """Distinguishes these instances, in this order, from any others."""
    hashed = blake2b(digest_size=_DIGEST * array("i").itemsize)
    for name in names:
        hashed.update("\0".join((*name, "")).encode("utf-8", "surrogateescape"))
    return array("i", hashed.digest())
