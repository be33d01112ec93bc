"""What all processes know about instances, in shared memory: which may get requests, and their addresses.

One row per instance. The supervisor gives rows to instances before anything looks for them; one process (the health
child) writes its findings, every other reads. A row is found by its key alone, in an open-addressing hash, so that no
process has to be told numbers: not after a reload, and not in a child that was forked later.

The memory has no lock. A row carries a checksum, so a reader detects a half-written one and tries again; and the number
of the change that it belongs to, so a reader that is faster than the writer's stores detects that, too. A worker reads
one number, the generation, and then only the rows that have changed since.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

ABSENT, UNCHECKED, EXPECTED, STARTING, HEALTHY, UNHEALTHY = range(6)
"""An instance's state: absent (a name has fewer addresses); without checks; new, and trusted until the first check
fails; new, and not trusted until a check has passed; and the result of the checks."""

STATES = ("absent", "unchecked", "expected", "starting", "healthy", "unhealthy")
SERVES = frozenset((UNCHECKED, EXPECTED, HEALTHY))
"""The states in which an instance gets requests."""

_ROW = 384  # bytes
_KEY = 16
_HEAD = struct.Struct("<16sI")  # key, checksum of the rest
_FIXED = struct.Struct("<QBBBBddd")  # change number, state, three lengths, since, checked, failed_at
_REST = _ROW - _HEAD.size
_TEXT = _REST - _FIXED.size
_LONGEST = 125  # bytes of a text; an IP address with its zone is shorter
_CHANGES = 1024  # the last changes that a reader can read one by one
_ANSWERS = 0x80  # a flag in the state's byte
_NEVER, _FREED = bytes(_KEY), b"\xff" * _KEY


class TableFullError(Exception):
    """There are more instances to watch than the table has rows."""


@dataclass(frozen=True, slots=True)
class Condition:
    """The condition of an instance. Times are seconds since the epoch, 0 for never.

    `host` is the IP address if it is configured by name, else empty. `since` is when the state began, `last` the result
    of the last check, at `checked`, and `error` that of the last one that failed, at `failed_at`. `answers` says that
    it does not pass, but that the last check was answered in HTTP.
    """

    state: int = ABSENT
    host: str = ""
    since: float = 0.0
    checked: float = 0.0
    last: str = ""
    failed_at: float = 0.0
    error: str = ""
    answers: bool = False

    @property
    def serves(self) -> bool:
        """Whether it may get requests."""
        return self.state in SERVES


class HealthTable:
    """The rows; `capacity` is how many can be in use at once."""

    def __init__(self, capacity: int) -> None:
        self._rows = 1 << max(4, (capacity * 4 // 3).bit_length())  # room to spare keeps the search for a key short
        self._capacity = capacity
        self._used = 0
        head = 8 * (1 + _CHANGES)
        memory = memoryview(mmap.mmap(-1, head + self._rows * _ROW))
        self._numbers = memory[:head].cast("Q")  # the generation, then the rows of the last changes
        self._cells = memory[head:]

    # For the supervisor

    def claim(self, conditions: Mapping[bytes, Condition]) -> None:
        """Give a row to each of these keys, none of which has one, with an initial condition. Nothing is announced: no
        process can know these rows yet. Raises TableFullError, and then has given none.
        """
        if self._used + len(conditions) > self._capacity:
            raise TableFullError(f"{self._used + len(conditions)} of {self._capacity} rows")
        for key, condition in conditions.items():
            self._store(self._place(key), key, 0, condition)
        self._used += len(conditions)

    def begin(self, row: int, condition: Condition) -> None:
        """Write a row that no process reads yet. It is not announced: only one process announces changes."""
        self._store(row, self._key(row), 0, condition)

    def keep(self, keys: set[bytes]) -> None:
        """Free the rows of all other keys. Call when no process reads those any more."""
        for row in range(self._rows):
            key = self._key(row)
            if key not in (_NEVER, _FREED) and key not in keys:
                self._store(row, _FREED, 0, Condition())
                self._used -= 1

    # For the writer

    def write(self, row: int, condition: Condition) -> None:
        """Replace a row; a change of state, address or `answers` is announced to the readers."""
        before = self._load(row)
        same = before is not None and _decisive(before[1]) == _decisive(condition)
        if same and before is not None:
            self._store(row, self._key(row), before[0], condition)
            return
        change = self.generation + 1
        self._store(row, self._key(row), change, condition)
        self._numbers[1 + change % _CHANGES] = row
        self._numbers[0] = change

    # For all processes

    @property
    def generation(self) -> int:
        """The number of the last announced change."""
        return self._numbers[0]

    def find(self, key: bytes) -> int:
        """The key's row, -1 if it has none."""
        row = int.from_bytes(key[:8], "little") % self._rows
        for _ in range(self._rows):
            found = self._key(row)
            if found == key:
                return row
            if found == _NEVER:
                return -1
            row = (row + 1) % self._rows
        return -1

    def read(self, row: int) -> Condition | None:
        """A row as it is now; None while it is being written, or for -1."""
        found = self._load(row) if row >= 0 else None
        return found[1] if found is not None else None

    def conditions(self) -> Iterator[tuple[bytes, Condition]]:
        """Every row in use, by its key, except those being written and those never written."""
        for row in range(self._rows):
            key = self._key(row)
            found = self._load(row) if key not in (_NEVER, _FREED) else None
            if found is not None and found[1] != Condition():
                yield key, found[1]

    def changes(self, seen: int) -> Iterator[tuple[int, int, Condition]] | None:
        """(number, row, condition) of each change after `seen` that can be read already; None if there are too many to
        list: then read every row.
        """
        generation = self.generation
        if generation - seen > _CHANGES // 2:  # well before the oldest are overwritten
            return None
        return self._changes(seen, generation)

    def _changes(self, seen: int, generation: int) -> Iterator[tuple[int, int, Condition]]:
        for number in range(seen + 1, generation + 1):
            row = self._numbers[1 + number % _CHANGES]
            found = self._load(row) if row < self._rows else None
            if found is None or found[0] < number:
                return  # not all of it is visible here yet: the next look will see it
            yield number, row, found[1]

    # Bytes

    def _key(self, row: int) -> bytes:
        return bytes(self._cells[row * _ROW : row * _ROW + _KEY])

    def _place(self, key: bytes) -> int:
        row = int.from_bytes(key[:8], "little") % self._rows
        while self._key(row) not in (_NEVER, _FREED):
            row = (row + 1) % self._rows
        return row

    def _store(self, row: int, key: bytes, change: int, condition: Condition) -> None:
        texts = [_clipped(text) for text in (condition.host, condition.last, condition.error)]
        body = _FIXED.pack(
            change,
            condition.state | (_ANSWERS if condition.answers else 0),
            *map(len, texts),
            condition.since,
            condition.checked,
            condition.failed_at,
        ) + b"".join(texts).ljust(_TEXT, b"\0")
        self._cells[row * _ROW : (row + 1) * _ROW] = _HEAD.pack(key, zlib.crc32(body)) + body

    def _load(self, row: int) -> tuple[int, Condition] | None:
        cell = bytes(self._cells[row * _ROW : (row + 1) * _ROW])
        _, checksum = _HEAD.unpack_from(cell)
        if zlib.crc32(cell[_HEAD.size :]) != checksum:
            return None
        change, state, host, last, error, since, checked, failed_at = _FIXED.unpack_from(cell, _HEAD.size)
        at = _HEAD.size + _FIXED.size
        texts = []
        for length in (host, last, error):
            texts.append(cell[at : at + length].decode())
            at += length
        answers = bool(state & _ANSWERS)
        return change, Condition(state & ~_ANSWERS, texts[0], since, checked, texts[1], failed_at, texts[2], answers)


def _decisive(condition: Condition) -> tuple[int, str, bool]:
    """The part of a condition that readers act on."""
    return condition.state, condition.host, condition.answers


def _clipped(text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    return data if len(data) <= _LONGEST else data[: _LONGEST - 3].decode("utf-8", "ignore").encode() + "…".encode()
