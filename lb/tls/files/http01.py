"""Answers to ACME HTTP-01 challenges (RFC 8555 section 8.3), read from directories: a file's name is the token.

This file knows tokens and files. It does not know the path of a challenge, or what writes the files. The token comes
from anyone on the internet, so it is matched whole before it names a file, and only a regular file is read: no link
that leads elsewhere, no pipe that would make the worker wait.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

_TOKEN = re.compile(rb"[A-Za-z0-9_-]{1,256}")
_LARGEST_ANSWER = 8192
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Challenges:
    """The pending challenges of directories, None without one. Files are read on request: they come and go."""

    __slots__ = ("_directories",)

    def __init__(self, *directories: Path | None) -> None:
        self._directories = tuple(one for one in directories if one is not None)

    def answer(self, token: bytes) -> bytes | None:
        """The key authorization for a token, or None if there is none of at most 8 KiB; never raises."""
        if _TOKEN.fullmatch(token) is None:
            return None
        for directory in self._directories:
            if (found := _content(directory / token.decode())) is not None:
                return found
        return None


def _content(path: Path) -> bytes | None:
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        content = os.read(descriptor, _LARGEST_ANSWER + 1)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    if len(content) > _LARGEST_ANSWER:
        return None
    return content.rstrip(b"\r\n") or None
