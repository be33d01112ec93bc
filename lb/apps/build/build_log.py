"""The log of one build: headlines, and the lines that commands write, masked and bounded.

All of it goes to build.log; whoever watches the build gets the headlines, and every line if he asked for it (B15).
"""

from __future__ import annotations

import codecs
import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lb.apps.build.masking import Masker
from lb.apps.build.settings import TAIL
from lb.config.problems import printable

_LONGEST = 4096  # characters of a line
_LONGEST_UNFINISHED = 1 << 16  # characters of a line that are looked at
_LARGEST = 32 << 20  # bytes of the file
_INDENT = " " * 7
_HEAD = "-----> "


class BuildLog:
    """`tell` is called for what is shown; `verbose` shows every line."""

    def __init__(self, path: Path, masker: Masker, tell: Callable[[str], None], *, verbose: bool) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._left = _LARGEST
        self._masker = masker
        self._tell = tell
        self._verbose = verbose
        self._tail: deque[str] = deque(maxlen=TAIL)
        self._rest = ""
        self._skipping = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def headline(self, text: str) -> None:
        """One step of the build, which is always shown."""
        self._write(line := _HEAD + self._masker.mask(text))
        self._tell(line)

    def note(self, text: str) -> None:
        """A line below a headline, which is always shown."""
        self._write(line := _INDENT + self._masker.mask(text))
        self._tell(line)

    def begin(self) -> None:
        """Forgets the lines of the step before."""
        self._tail.clear()
        self._rest, self._skipping = "", False
        self._decoder.reset()

    def feed(self, data: bytes) -> None:
        """What a command has written: any bytes, in any pieces."""
        *lines, self._rest = (self._rest + self._decoder.decode(data)).split("\n")
        for line in lines:
            if not self._skipping:
                self._line(line)
            self._skipping = False
        if len(self._rest) > _LONGEST_UNFINISHED:
            if not self._skipping:
                self._line(self._rest)
            self._skipping, self._rest = True, ""

    def finish(self) -> None:
        """The command has ended; its last line may lack an end."""
        rest = self._rest + self._decoder.decode(b"", final=True)
        if rest and not self._skipping:
            self._line(rest)
        self._rest = ""

    def tail(self) -> tuple[str, ...]:
        """The last lines of the step."""
        return tuple(self._tail)

    def close(self) -> None:
        with suppress(OSError):
            os.close(self._file)

    def _line(self, text: str) -> None:
        text = text.removesuffix("\r").rpartition("\r")[2]  # a progress bar is written over and over
        text = printable(self._masker.mask(text).expandtabs())[:_LONGEST]
        self._tail.append(text)
        self._write(_INDENT + text)
        if self._verbose:
            self._tell(_INDENT + text)

    def _write(self, line: str) -> None:
        data = line.encode("utf-8", "replace") + b"\n"
        if self._left < len(data):
            if self._left:
                data, self._left = b"       further output is not kept\n", 0
            else:
                return
        else:
            self._left -= len(data)
        with suppress(OSError):  # a full disk fails the build itself, in words of its own
            os.write(self._file, data)
