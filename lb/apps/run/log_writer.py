"""The log of one instance on disk: segments that are written once, and removed by age or by the size of all of them.

A segment is never renamed or written again, so a reader needs no lock. Its name begins with the time of its first line
and has the instance's name and id; each record says all that a reader wants:

    2026-11-30T09:17:00.123456Z out web1 20261130-091655 the text

Part of the shim: standard library alone. A full disk costs lines, which are counted, and nothing else.
"""

from __future__ import annotations

import os
import time

_SEGMENTS = 10  # of which a full log consists
_SMALLEST = 64 << 10  # bytes of a segment that are not worth another one
_YOUNG = 86400.0  # seconds after which a segment is closed though it is small, so that age can remove it
SUFFIX = ".log"


def timestamp(now: float) -> str:
    """RFC 3339 in UTC, with microseconds, so that the text sorts as the time does."""
    seconds = int(now // 1)
    micros = min(int((now - seconds) * 1_000_000), 999_999)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{micros:06d}Z"


class LogWriter:
    """Appends records of one instance; `keep` in seconds, `size` in bytes over all of `directory`."""

    __slots__ = ("_directory", "_file", "_keep", "_lost", "_number", "_opened", "_size", "_tail", "_who", "_written")

    def __init__(self, directory: str, name: str, ident: str, tag: str, limits: tuple[float, int]) -> None:
        self._who = f"-{name}-{ident}-"
        self._tail = f" {name} {tag or '-'} "
        self._directory = directory
        self._keep, self._size = limits
        self._file = -1
        self._written = 0
        self._opened = 0.0
        self._number = 0
        self._lost = 0

    def write(self, stream: str, lines: list[str], now: float) -> None:
        """`stream` is `out`, `err`, or `lb` for what the shim itself says; `now` seconds since the epoch."""
        head = f"{timestamp(now)} {stream}{self._tail}"
        if self._lost:
            many = f"{self._lost} lines were lost, because the log could not be written"
            lines = [*lines, many]
        data = "".join([f"{head}{line}\n" for line in lines]).encode("utf-8", "replace")
        try:
            self._segment(now)
            _write_all(self._file, data)
        except OSError:
            self._lost += len(lines) - (1 if self._lost else 0)
            self.close()
            return
        self._lost = 0
        self._written += len(data)

    def tick(self, now: float) -> None:
        """Removes what is too old, for an app that writes little; to be called now and then."""
        if self._file >= 0 and now - self._opened > _YOUNG:
            self.close()
        self._prune(now)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _segment(self, now: float) -> None:
        if self._file >= 0 and (
            self._written >= max(self._size // _SEGMENTS, _SMALLEST) or now - self._opened > _YOUNG
        ):
            self.close()
        if self._file >= 0:
            return
        self._prune(now)
        self._number += 1
        start = timestamp(now).translate({ord(sign): None for sign in "-:.Z"})
        path = f"{self._directory}/{start}{self._who}{self._number}{SUFFIX}"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self._written, self._opened = 0, now

    def _prune(self, now: float) -> None:
        """The oldest segments go until the rest is young enough, and leaves room for another segment."""
        found = []
        try:
            with os.scandir(self._directory) as entries:
                found = sorted((entry.name, entry.stat()) for entry in entries if entry.name.endswith(SUFFIX))
        except OSError:
            return
        room = sum(status.st_size for _, status in found) + self._size // _SEGMENTS - self._size
        for name, status in found:
            if room <= 0 and now - status.st_mtime <= self._keep:
                continue
            if self._who in name and self._file >= 0 and name.endswith(f"{self._who}{self._number}{SUFFIX}"):
                continue  # the one that is being written
            try:
                os.unlink(f"{self._directory}/{name}")
            except OSError:
                continue  # another shim was faster
            room -= status.st_size


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
