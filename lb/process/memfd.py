"""Passes a large object to other processes of the same program: pickled, in memory behind a descriptor.

Such a descriptor comes from a parent or child process, so its content is trusted.
"""

from __future__ import annotations

import mmap
import os
import pickle
import tempfile


def wrap_up(content: object) -> int:
    """A descriptor, closed on exec, for `unwrap` in any number of processes; the caller owns it."""
    descriptor = new_memory()
    with os.fdopen(os.dup(descriptor), "wb") as file:
        pickle.dump(content, file, pickle.HIGHEST_PROTOCOL)
    return descriptor


def wrap_bytes(content: bytes) -> int:
    """The same for bytes, which another version of the program can also read."""
    descriptor = new_memory()
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(content)
    return descriptor


def unwrap_bytes(descriptor: int) -> bytes:
    """The bytes that were wrapped, at least one. The descriptor stays open."""
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as memory:
        return memory[:]


def unwrap(descriptor: int) -> object:
    """The object that was wrapped. The descriptor stays open."""
    # Mapped, not read: the processes share one file offset.
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as memory:
        return pickle.loads(memory)  # noqa: S301  see above


def new_memory(name: str = "lb parcel") -> int:
    """A descriptor of empty memory, closed on exec, that other processes can map; the caller owns it."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(name, os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
