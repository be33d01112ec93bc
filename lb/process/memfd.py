"""A large object on its way to other processes of the same program: a descriptor of memory that holds it, pickled.

Whoever has such a descriptor got it from a parent or a child of his, so what is in it is trusted.
"""

from __future__ import annotations

import mmap
import os
import pickle
import tempfile


def wrap_up(content: object) -> int:
    """A descriptor, closed on exec, that `unwrap` makes the object of, in as many processes as get it; the caller's."""
    descriptor = new_memory()
    with os.fdopen(os.dup(descriptor), "wb") as file:
        pickle.dump(content, file, pickle.HIGHEST_PROTOCOL)
    return descriptor


def wrap_bytes(content: bytes) -> int:
    """The same for bytes, which another version of the program may read, too."""
    descriptor = new_memory()
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(content)
    return descriptor


def unwrap_bytes(descriptor: int) -> bytes:
    """What bytes were wrapped up, at least one. The descriptor stays open."""
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as memory:
        return memory[:]


def unwrap(descriptor: int) -> object:
    """What was wrapped up. The descriptor stays open."""
    # Mapped, not read: the processes that have it share one offset.
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as memory:
        return pickle.loads(memory)  # noqa: S301  see above


def new_memory(name: str = "lb parcel") -> int:
    """A descriptor of empty memory, closed on exec, that others may map who get it; the caller's."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(name, os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
