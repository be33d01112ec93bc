"""Opening files below a directory, and never outside: the second fence around what is served.

The kernel resolves the path where it can (openat2 with RESOLVE_BENEATH, Linux 5.6): symbolic links that stay below the
directory are followed, those that leave it, or begin with a slash, are not, whatever is renamed meanwhile. Elsewhere
the path is walked step by step, with the same result. This file knows names and descriptors, and nothing of HTTP.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Callable

_OPENAT2 = 437  # the same number on every architecture that Linux runs Python on
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_BENEATH = 0x08
# A FIFO must not be waited for.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_HOW = struct.pack("QQQ", _FLAGS, 0, _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS)
_LINKS = 40  # that are followed on one way, as the kernel does
_TRIES = 8  # when something is renamed on the way, the kernel asks to be asked again

Opener = Callable[[int, bytes], int]


def open_walking(root: int, name: bytes) -> int:
    """As `open_beneath`, without help by the kernel."""
    way = _Way(root, name)
    try:
        while way.steps:
            way.take(way.steps.pop())
        return os.open(".", _FLAGS, dir_fd=way.here) if way.found < 0 else way.found
    finally:
        for fd in way.above:
            os.close(fd)


class _Way:
    """Where a walk stands: `steps` are yet to be taken, the next one last; `above` are the directories that it has come
    through, this side of the root; `found` is what the last step opened, if that was not a directory on the way.
    """

    __slots__ = ("_links", "_root", "above", "found", "steps")

    def __init__(self, root: int, name: bytes) -> None:
        self._root = root
        self._links = 0
        self.steps = name.split(b"/")[::-1]
        self.above: list[int] = []
        self.found = -1

    @property
    def here(self) -> int:
        return self.above[-1] if self.above else self._root

    def take(self, step: bytes) -> None:
        """Take one step: down, up, or along a link. Raises OSError."""
        if step in (b"", b"."):
            return
        if step == b"..":
            if not self.above:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            os.close(self.above.pop())
            return
        try:
            fd = os.open(step, _FLAGS | os.O_NOFOLLOW | (os.O_DIRECTORY if self.steps else 0), dir_fd=self.here)
        except OSError as error:
            self._follow(_link(error, step, self.here))
            return
        if self.steps:
            self.above.append(fd)
        else:
            self.found = fd

    def _follow(self, target: bytes) -> None:
        self._links += 1
        if target.startswith(b"/"):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        if self._links > _LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        self.steps += target.split(b"/")[::-1]


def _link(error: OSError, step: bytes, here: int) -> bytes:
    """Where a link leads; `error` where this is none."""
    if error.errno not in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):  # of a link with O_DIRECTORY: ENOTDIR
        raise error
    try:
        return os.fsencode(os.readlink(step, dir_fd=here))
    except OSError:
        raise error from None


def _kernels_way() -> Opener | None:
    """Opening by openat2; None where this kernel, or what it is wrapped in, does not have it."""
    try:
        syscall = ctypes.CDLL(None, use_errno=True).syscall
    except (OSError, AttributeError):
        return None
    how = ctypes.create_string_buffer(_HOW, len(_HOW))
    size = ctypes.c_size_t(len(_HOW))

    def open_by_kernel(root: int, name: bytes) -> int:
        number = 0
        for _ in range(_TRIES):
            fd: int = syscall(_OPENAT2, root, ctypes.c_char_p(name), how, size)
            if fd >= 0:
                return fd
            number = ctypes.get_errno()
            if number not in (errno.EAGAIN, errno.EINTR):
                break
        raise OSError(number, os.strerror(number))

    try:
        here = os.open("/", os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.close(open_by_kernel(here, b"."))
        finally:
            os.close(here)
    except OSError:
        return None
    return open_by_kernel


open_by_kernel = _kernels_way()

open_beneath: Opener = open_by_kernel or open_walking
"""The descriptor of the file or directory of this relative name below an open directory. Raises OSError: EXDEV for what
leads out of it.
"""
