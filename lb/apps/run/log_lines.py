"""Output of an app, as bytes in pieces, made into lines of bounded length and number (G1).

Part of the shim: standard library alone, and no more of it than is needed. Does not know where the lines go.
"""

from __future__ import annotations

MINUTE = 60.0
_WIDEST = 4  # bytes that a character of UTF-8 takes at most


class LineCutter:
    """Bytes in any pieces to lines of at most `longest` characters; the rest of a longer line is dropped.

    A line ends with LF; one CR before it belongs to the end. What is not UTF-8, and NUL, becomes U+FFFD. All else,
    such as the colours of a terminal, stays. No more than four bytes a character are ever kept of an unfinished line.
    """

    __slots__ = ("_kept", "_longest", "_room", "_size")

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._room = longest * _WIDEST  # the first `longest` characters never need more
        self._kept = b""
        self._size = 0  # bytes of the unfinished line, with those that were not kept

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` ends."""
        first, *others = data.split(b"\n")
        self._add(first)
        if not others:
            return []
        lines = [self._finish()]
        last = others.pop()
        lines += [self._text(line, len(line)) for line in others]
        self._add(last)
        return lines

    def end(self) -> list[str]:
        """The last line, if the output ended without a line end."""
        return [self._finish()] if self._size else []

    def _add(self, piece: bytes) -> None:
        self._size += len(piece)
        room = self._room - len(self._kept)
        if room > 0:
            self._kept += piece[:room]

    def _finish(self) -> str:
        line = self._text(self._kept, self._size)
        self._kept, self._size = b"", 0
        return line

    def _text(self, kept: bytes, size: int) -> str:
        if size <= self._room and kept.endswith(b"\r"):
            kept = kept[:-1]  # of a longer line it lies beyond what is shown
        return kept[: self._room].decode("utf-8", "replace").replace("\0", "\ufffd")[: self._longest]


class LineRate:
    """How many lines a minute are let through; the others are counted.

    A minute begins with its first line. `now` is a monotonic time in seconds.
    """

    __slots__ = ("_count", "_dropped", "_ends", "_most", "dropped", "passed")

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._dropped = 0
        self._ends = float("-inf")
        self.passed = 0  # in all, as `dropped`
        self.dropped = 0

    def take(self, count: int, now: float) -> int:
        """How many of `count` more lines may pass. Ask `report` before: a minute that is over is forgotten here."""
        if now >= self._ends:
            self._ends, self._count, self._dropped = now + MINUTE, 0, 0
        taken = min(count, self._most - self._count)
        self._count += taken
        self._dropped += count - taken
        self.passed += taken
        self.dropped += count - taken
        return taken

    def due(self) -> float | None:
        """When `report` will have something to say; None if nothing was dropped."""
        return self._ends if self._dropped else None

    def report(self, now: float, *, at_once: bool = False) -> str:
        """Once a minute in which lines were dropped: how many. Otherwise ""."""
        if not self._dropped or (now < self._ends and not at_once):
            return ""
        dropped, self._dropped = self._dropped, 0
        lines = "line was" if dropped == 1 else "lines were"
        return f"{dropped} {lines} dropped: the app wrote more than {self._most} lines in a minute"
