"""How a worker's descriptors are shared out, and what is logged when none are left.

A client's connection may need another one to an instance at any moment, so half as many connections as descriptors
are allowed: an accepted connection can always be served. Some are reserved for the worker itself (listening sockets,
files, a reload), and for clients that are being turned away. They can still run out (idle connections to instances, or
other processes when the whole system has none left); that is our fault, and no instance is blamed for it (E3).

It knows numbers and what they mean. Which connections exist, and which of them can be closed, is the engine's business.
"""

from __future__ import annotations

import errno
import logging
import resource

from lb.proxy.eviction import MOST_TURNED_AWAY

log = logging.getLogger("lb.proxy")

OURS = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC))
"""Errors of `socket`, `connect` and `epoll_ctl` that mean a lack of resources here and say nothing of an instance."""

_OWN = 32  # what a worker has open itself (twenty), and what a reload, a log or a certificate briefly needs
_SHARE_TURNED_AWAY = 8  # at most this fraction is for clients that are being turned away
_SILENCE = 60.0  # seconds between two lines about the same shortage

_LACKS = {
    errno.EMFILE: "out of descriptors: this worker may have %d open; raise the limit of open files "
    "(LimitNOFILE= in the systemd unit, ulimit -n in a shell) or lower limits.connections",
    errno.ENFILE: "out of descriptors: the system has none left (this worker may have %d open); "
    "raise fs.file-max, or look for a process that has too many files open",
}
_OTHER = "out of kernel memory for connections (%s); give the system more memory, or lower limits.connections"


def turned_away_within(descriptors: int, listeners: int) -> int:
    """How many clients may still be read from after they were turned away for lack of room."""
    return min(max((descriptors - _OWN - listeners) // _SHARE_TURNED_AWAY, 1), MOST_TURNED_AWAY)


def connections_within(descriptors: int, listeners: int) -> int:
    """How many client connections a worker with this many descriptors may have."""
    spare = descriptors - _OWN - listeners - turned_away_within(descriptors, listeners)
    return max(spare // 2, 1)


def descriptors_of_process() -> int:
    """How many descriptors this process may open, by its present limits."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else 1 << 30


class Shortage:
    """Logs that descriptors have run out: a line a minute, however many connections are affected."""

    __slots__ = ("_silent_until",)

    def __init__(self) -> None:
        self._silent_until = 0.0

    def say(self, error: int, now: float) -> None:
        """The system refused a descriptor, with this errno."""
        if now < self._silent_until:
            return
        self._silent_until = now + _SILENCE
        if error in _LACKS:
            log.error(_LACKS[error], descriptors_of_process())
        else:
            log.error(_OTHER, errno.errorcode.get(error, str(error)))
