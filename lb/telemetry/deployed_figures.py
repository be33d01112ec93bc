"""What workers see of deployed environments and their instances, in shared memory: one page a worker slot, and one for
what the health process makes of them all.

Configured instances are known by their place in the configuration (`instance_gauges`); deployed ones come and go, so
each record here names its own. A page has one writer. It is read whole or not at all: the number at its head is odd
while it is being written.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from lb.telemetry.deployed_usage import UsagePage, usage_page_size

_HEAD = struct.Struct("<qqq")  # writes, process, records
_RECORD = struct.Struct("<8s16s5q")
_KEY = 8
_TRIES = 8  # to read a page that is just being written


@dataclass(frozen=True, slots=True)
class InstanceTotals:
    """What is open at an instance now, and what it served so far; `seconds` is the time until its responses began."""

    in_flight: int = 0
    tunnels: int = 0
    requests: int = 0
    seconds: float = 0.0
    failures: int = 0

    def __add__(self, other: InstanceTotals) -> InstanceTotals:
        return InstanceTotals(
            self.in_flight + other.in_flight,
            self.tunnels + other.tunnels,
            self.requests + other.requests,
            self.seconds + other.seconds,
            self.failures + other.failures,
        )

    @property
    def is_busy(self) -> bool:
        return bool(self.in_flight or self.tunnels)

    @property
    def closed(self) -> InstanceTotals:
        """The same with nothing open any more."""
        return InstanceTotals(0, 0, self.requests, self.seconds, self.failures)


@dataclass(slots=True)
class EnvironmentTotals:
    """One environment: `generation` is the last change of the engine's that is followed, `waiting` how many requests
    wait for it, `counted` how many requests there were that keep it awake, `idle` the seconds since the last of them.
    `instances` are by the engine's names.
    """

    generation: int = 0
    waiting: int = 0
    counted: int = 0
    idle: float = 0.0
    instances: dict[str, InstanceTotals] = field(default_factory=dict)


Totals = dict[bytes, EnvironmentTotals]
"""By the keys that `environment_key` makes."""


def environment_key(app: str, environment: str) -> bytes:
    return blake2b(f"{app}\0{environment}".encode(), digest_size=_KEY).digest()


class DeployedPage:
    """One writer's."""

    __slots__ = ("_cells",)

    def __init__(self, cells: memoryview) -> None:
        self._cells = cells

    def store(self, totals: Mapping[bytes, EnvironmentTotals], process: int) -> None:
        """Replaces all of it; what does not fit is left out."""
        writes, _, _ = _HEAD.unpack_from(self._cells)
        writes += 1 + writes % 2  # a writer may have been killed in the middle
        _HEAD.pack_into(self._cells, 0, writes, process, 0)
        most = (len(self._cells) - _HEAD.size) // _RECORD.size
        count = 0
        for key, one in totals.items():
            if count + 1 + len(one.instances) > most:
                break
            head = (key, b"", one.generation, one.waiting, one.counted, int(one.idle * 1e3), 0)
            _RECORD.pack_into(self._cells, _HEAD.size + count * _RECORD.size, *head)
            count += 1
            for identity, of in one.instances.items():
                record = (of.in_flight, of.tunnels, of.requests, int(of.seconds * 1e6), of.failures)
                at = _HEAD.size + count * _RECORD.size
                _RECORD.pack_into(self._cells, at, key, identity.encode()[:16], *record)
                count += 1
        _HEAD.pack_into(self._cells, 0, writes + 1, process, count)

    def load(self) -> tuple[int, Totals]:
        """The process that wrote it, and what it said; (0, {}) where nobody did, or only half of it."""
        for _ in range(_TRIES):
            writes, process, count = _HEAD.unpack_from(self._cells)
            if writes % 2:
                continue
            data = bytes(self._cells[_HEAD.size : _HEAD.size + count * _RECORD.size])
            if _HEAD.unpack_from(self._cells)[0] == writes:
                return process, _totals(data)
        return 0, {}


def _totals(data: bytes) -> Totals:
    found: Totals = {}
    for key, identity, first, second, third, fourth, fifth in _RECORD.iter_unpack(data):
        one = found.setdefault(key, EnvironmentTotals())
        name = identity.rstrip(b"\0").decode()
        if name:
            one.instances[name] = InstanceTotals(first, second, third, fourth / 1e6, fifth)
        else:
            one.generation, one.waiting, one.counted, one.idle = first, second, third, fourth / 1e3
    return found


class DeployedFigures:
    """The pages of `slots` workers and the summary, each with room for `records` environments and instances, and the
    page of what the instances use. Made before the first fork; `memory` is a descriptor as for `InstanceGauges`.
    """

    def __init__(self, slots: int, records: int, memory: int = -1) -> None:
        self._slots = slots
        self._length = _HEAD.size + _RECORD.size * records
        size = (slots + 1) * self._length + usage_page_size(records)
        if memory >= 0:
            os.ftruncate(memory, size)
        self._cells = memoryview(mmap.mmap(memory, size))

    def page(self, slot: int) -> DeployedPage:
        """The page of a worker's slot, counted from 0."""
        return DeployedPage(self._cells[slot * self._length : (slot + 1) * self._length])

    @property
    def summary(self) -> DeployedPage:
        """What all workers say together, with what those said that have ended."""
        return self.page(self._slots)

    @property
    def usage(self) -> UsagePage:
        """What the engine says that instances use."""
        return UsagePage(self._cells[(self._slots + 1) * self._length :])
