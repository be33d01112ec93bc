"""How the descriptors that a worker may open are shared out, and what is said when there are none left.

A client's connection may need another one to an instance at any moment, so there are only half as many of them as
descriptors: one that was let in can be served. Some are kept back for the worker itself (listening sockets, files, a
reload), and for clients that are told that there is no room. That they run out all the same can happen (idle
connections to instances, or other processes where the whole system has none left), and is our fault: no instance is
blamed for it (E3).

It knows numbers and what they mean. Which connections there are, and which of them can go, is the engine's business.
"""

from __future__ import annotations

import errno
import logging
import resource

from lb.proxy.eviction import MOST_TURNED_AWAY

log = logging.getLogger("lb.proxy")

OURS = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC))
"""Errors of `socket`, `connect` and `epoll_ctl` that say what we lack, and nothing about an instance."""

_OWN = 32  # what a worker has open itself (twenty), and what a reload, a log or a certificate needs for a moment
_SHARE_TURNED_AWAY = 8  # one in so many, at most, is for clients that are told that there is no room
_SILENCE = 60.0  # seconds between two lines about the same

_LACKS = {
    errno.EMFILE: "out of descriptors: this worker may have %d open; raise the limit of open files "
    "(LimitNOFILE= in the systemd unit, ulimit -n in a shell) or lower limits.connections",
    errno.ENFILE: "out of descriptors: the system has none left (this worker may have %d open); "
    "raise fs.file-max, or look for a process that has too many files open",
}
_OTHER = "out of kernel memory for connections (%s); give the system more memory, or lower limits.connections"


def turned_away_within(descriptors: int, listeners: int) -> int:
    """How many clients may be listened to after they were told that there is no room."""
    return min(max((descriptors - _OWN - listeners) // _SHARE_TURNED_AWAY, 1), MOST_TURNED_AWAY)


def connections_within(descriptors: int, listeners: int) -> int:
    """How many client connections one worker may have that may open so many descriptors."""
    spare = descriptors - _OWN - listeners - turned_away_within(descriptors, listeners)
    return max(spare // 2, 1)


def descriptors_of_process() -> int:
    """How many descriptors this process may have open, as its limits are now."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else 1 << 30


class Shortage:
    """Says that descriptors are lacking: a line a minute, however many connections it meets."""

    __slots__ = ("_silent_until",)

    def __init__(self) -> None:
        self._silent_until = 0.0

    def say(self, error: int, now: float) -> None:
        """The system refused one, with this errno."""
        if now < self._silent_until:
            return
        self._silent_until = now + _SILENCE
        if error in _LACKS:
            log.error(_LACKS[error], descriptors_of_process())
        else:
            log.error(_OTHER, errno.errorcode.get(error, str(error)))
