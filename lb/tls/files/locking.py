"""Locks of a directory that only its owner can take: on a file of mode 0600 in it, since anyone who may open a
directory may lock the directory itself. Waiting has a limit.

This file knows the file system only.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TIMEOUT = 5.0
"""Seconds to wait for a lock."""

NAME = ".lock"
"""The file in the directory; it stays."""

_STEP = 0.02
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


@contextmanager
def locked(directory: Path, *, timeout: float = TIMEOUT) -> Iterator[None]:
    """An exclusive lock until the block ends; it ends with the process, too. Raises OSError: TimeoutError if another
    holder keeps it for longer than `timeout` seconds.
    """
    descriptor = _open(directory)
    try:
        _take(descriptor, directory, fcntl.LOCK_EX, timeout)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def shared(directory: Path, *, timeout: float = TIMEOUT) -> Iterator[None]:
    """A shared lock until the block ends. Nothing is created: without a lock file, there is no holder to wait for.
    Raises as `locked` does.
    """
    try:
        descriptor = os.open(directory / NAME, os.O_RDONLY | _FLAGS)
    except FileNotFoundError:
        yield
        return
    try:
        _take(descriptor, directory, fcntl.LOCK_SH, timeout)
        yield
    finally:
        os.close(descriptor)


def _open(directory: Path) -> int:
    """The lock's file, created if needed: it belongs to the directory's owner, whoever creates it."""
    try:
        descriptor = os.open(directory / NAME, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
    except FileExistsError:
        return os.open(directory / NAME, os.O_RDWR | _FLAGS)
    owner = directory.stat()
    if owner.st_uid != os.fstat(descriptor).st_uid:
        with suppress(PermissionError):  # only root may
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def _take(descriptor: int, directory: Path, how: int, timeout: float) -> None:
    until = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                said = f"another process has kept the lock for longer than {timeout:.0f} s"
                raise TimeoutError(errno.ETIMEDOUT, said, str(directory / NAME)) from None
            time.sleep(_STEP)
        else:
            return
