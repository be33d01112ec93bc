"""What deployed instances use of the machine, as the engine says it, in a page of shared memory: the health process
writes it, the admin server and `lb status` read it.

A page is read whole or not at all: the number at its head is odd while it is being written.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

_HEAD = struct.Struct("<qq")  # writes, records
_RECORD = struct.Struct("<16s5q160s")
_CAUSE = 160  # bytes of the last cause; the rest is cut off
_TRIES = 8  # to read a page that is just being written


@dataclass(frozen=True, slots=True)
class InstanceUsage:
    """Bytes of memory and of files (-1 where they cannot be seen), seconds of CPU since the start, how often this name
    was restarted, and why it was the last time.
    """

    memory: int = 0
    cpu: float = 0.0
    files: int = -1
    processes: int = 0
    restarts: int = 0
    last_cause: str = ""


def usage_page_size(records: int) -> int:
    return _HEAD.size + _RECORD.size * records


class UsagePage:
    """By the engine's names of instances, which are never used twice."""

    __slots__ = ("_cells",)

    def __init__(self, cells: memoryview) -> None:
        self._cells = cells

    def store(self, instances: Mapping[str, InstanceUsage]) -> None:
        """Replaces all of it; what does not fit is left out."""
        writes, _ = _HEAD.unpack_from(self._cells)
        writes += 1 + writes % 2  # a writer may have been killed in the middle
        most = (len(self._cells) - _HEAD.size) // _RECORD.size
        shown = list(instances.items())[:most]
        _HEAD.pack_into(self._cells, 0, writes, 0)
        for number, (identity, one) in enumerate(shown):
            figures = (one.memory, int(one.cpu * 1e6), one.files, one.processes, one.restarts)
            record = (identity.encode()[:16], *figures, one.last_cause.encode()[:_CAUSE])
            _RECORD.pack_into(self._cells, _HEAD.size + number * _RECORD.size, *record)
        _HEAD.pack_into(self._cells, 0, writes + 1, len(shown))

    def load(self) -> dict[str, InstanceUsage]:
        """What was stored last; nothing where it is just being replaced."""
        for _ in range(_TRIES):
            writes, count = _HEAD.unpack_from(self._cells)
            data = bytes(self._cells[_HEAD.size : _HEAD.size + count * _RECORD.size])
            if writes % 2 == 0 and _HEAD.unpack_from(self._cells)[0] == writes:
                return dict(_usage(record) for record in _RECORD.iter_unpack(data))
        return {}


def _usage(record: tuple[bytes, int, int, int, int, int, bytes]) -> tuple[str, InstanceUsage]:
    identity, memory, cpu, files, processes, restarts, cause = record
    text = cause.rstrip(b"\0").decode(errors="ignore")  # a letter may have been cut in two
    return identity.rstrip(b"\0").decode(), InstanceUsage(memory, cpu / 1e6, files, processes, restarts, text)
