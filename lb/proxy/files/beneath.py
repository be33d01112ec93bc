"""Opening files below a directory, and never outside: the second fence around what is served.

The kernel resolves the path where it can (openat2 with RESOLVE_BENEATH, Linux 5.6): symbolic links that stay below the
directory are followed, those that leave it, or begin with a slash, are not, whatever is renamed meanwhile. Elsewhere the
path is walked step by step, with the same result. This file knows names and descriptors, and nothing of HTTP.
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
    steps = name.split(b"/")[::-1]
    above: list[int] = []  # directories on the way, this side of the root
    links = 0
    try:
        while True:
            step = steps.pop()
            here = above[-1] if above else root
            if step in (b"", b"."):
                if not steps:
                    return os.open(".", _FLAGS, dir_fd=here)
            elif step == b"..":
                if not above:
                    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
                os.close(above.pop())
                if not steps:
                    steps.append(b".")
            else:
                try:
                    fd = os.open(step, _FLAGS | os.O_NOFOLLOW | (os.O_DIRECTORY if steps else 0), dir_fd=here)
                except OSError as error:
                    target = _link(error, step, here)
                    links += 1
                    if target.startswith(b"/"):
                        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV)) from None
                    if links > _LINKS:
                        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None
                    steps += target.split(b"/")[::-1]
                    continue
                if not steps:
                    return fd
                above.append(fd)
    finally:
        for fd in above:
            os.close(fd)


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
