"""Standard input, output and error: closed ones are opened, and output that cannot be written ends a command with a
line instead of a traceback.

A free descriptor from 0 to 2 would be given to the next file or socket, and every print would write into it. This file
knows descriptors and streams, and nothing of what is printed.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from typing import TextIO

_STDIN, _STDOUT, _STDERR = range(3)


class OutputError(OSError):
    """The output cannot be written."""

    @property
    def reason(self) -> str:
        """The message; "" if the reader has closed the pipe, which needs none."""
        return "" if self.errno == errno.EPIPE else f"the output cannot be written: {self.strerror}"


class _Output(io.FileIO):
    def write(self, data: object) -> int:
        try:
            return super().write(data)  # type: ignore[arg-type]  # what FileIO takes
        except OSError as error:
            raise OutputError(error.errno, error.strerror) from error


def prepare() -> None:
    """Call this before anything else is opened. Opens /dev/null on each of the three that is closed, and makes output
    and error raise OutputError.
    """
    for descriptor in (_STDIN, _STDOUT, _STDERR):
        try:
            os.fstat(descriptor)
        except OSError:
            _open_nothing(descriptor)
    if sys.stdin is None:
        sys.stdin = open(_STDIN, closefd=False)  # noqa: SIM115  for the life of the process
    sys.stdout = _writing(_STDOUT, sys.stdout)
    sys.stderr = _writing(_STDERR, sys.stderr)


def give_up() -> None:
    """Discard buffered output, so that the interpreter does not fail again when it ends."""
    for descriptor, stream in ((_STDOUT, sys.stdout), (_STDERR, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            with suppress(OSError):
                _open_nothing(descriptor)


def _open_nothing(descriptor: int) -> None:
    opened = os.open(os.devnull, os.O_RDWR)
    if opened != descriptor:
        os.dup2(opened, descriptor)
        os.close(opened)
    os.set_inheritable(descriptor, True)


def _writing(descriptor: int, stream: TextIO | None) -> TextIO:
    """A stream like this one if it is the process's own; any other, such as a test's, stays."""
    if stream is None:
        return _text(descriptor, "utf-8", "backslashreplace", line_buffering=True)
    try:
        if stream.fileno() != descriptor or not isinstance(stream, io.TextIOWrapper):
            return stream
        stream.flush()
    except OSError:
        return stream
    errors = stream.errors or "strict"
    return _text(
        descriptor, stream.encoding, errors, line_buffering=stream.line_buffering, write_through=stream.write_through
    )


def _text(
    descriptor: int, encoding: str, errors: str, *, line_buffering: bool, write_through: bool = False
) -> io.TextIOWrapper:
    raw = _Output(descriptor, "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding, errors, line_buffering=line_buffering, write_through=write_through
    )
