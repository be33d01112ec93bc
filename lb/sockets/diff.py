"""The difference between the current listening sockets and those of a changed configuration.

A socket that stays keeps its queue: the number of an address's sockets never falls, since closing one would reset the
connections in its queue. Sockets added to an address that is already served are bound at once, so that a failure shows,
but listen at the very end: from then on the kernel sends connections there, and they cannot be given up any more. This
file knows addresses and sockets, no processes.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lb.config.model import ListenAddress
from lb.process.start_error import StartError
from lb.sockets.bind import (
    BACKLOG,
    NO_SUCH_FAMILY,
    BoundAddress,
    bind_more,
    bind_slots,
    explain,
    is_shared,
    resolve,
    share,
)

_MOST = 256  # sockets per address up to which the number is rounded up
_EVERY = ("0.0.0.0", "::")  # noqa: S104  compared with, not bound to


@dataclass(slots=True)
class SocketDiff:
    """`bound` are the future addresses; `left` the sockets of addresses that are given up; `new` the sockets bound for
    the change, and `not_listening` those of them that do not listen yet.

    It ends with either `listen` and a later `close_left`, or `give_up`.
    """

    bound: tuple[BoundAddress, ...] = ()
    left: tuple[socket.socket, ...] = ()
    new: list[socket.socket] = field(default_factory=list)
    not_listening: list[socket.socket] = field(default_factory=list)

    def listen(self) -> None:
        """Accept connections on all of `bound`. Raises OSError."""
        for sock in self.not_listening:
            sock.listen(BACKLOG)

    def give_up(self) -> None:
        """Everything stays as it was."""
        for sock in self.new:
            sock.close()

    def close_left(self) -> None:
        """Close the sockets in `left`, which are no longer served."""
        for sock in self.left:
            sock.close()


def rebind(before: Sequence[BoundAddress], addresses: Iterable[tuple[str, ListenAddress]], slots: int) -> SocketDiff:
    """The change from `before` to these (scheme, address) for `slots` slots.

    A port that the system picked stays the same. Raises StartError; nothing has changed then.
    """
    rebound = SocketDiff()
    rest = list(before)
    bound: list[BoundAddress] = []
    try:
        for scheme, address in addresses:
            bound += _address(rebound, before, rest, scheme, address, slots)
    except StartError:
        rebound.give_up()
        raise
    rebound.bound = tuple(bound)
    rebound.left = tuple(sock for one in rest for sock in one.sockets)
    return rebound


def _address(
    rebound: SocketDiff,
    before: Sequence[BoundAddress],
    rest: list[BoundAddress],
    scheme: str,
    address: ListenAddress,
    slots: int,
) -> list[BoundAddress]:
    port = address.port
    if not address.host and (kept := _take(rest, scheme, None, port)):
        return [BoundAddress(scheme, _enough(rebound, kept, slots))]
    bound: list[BoundAddress] = []
    for family, resolved in resolve(scheme, address):
        target = (resolved[0], port, *resolved[2:])
        try:
            if kept := _take(rest, scheme, family, port, resolved[0]):
                sockets = _enough(rebound, kept, slots)
            else:
                ours = any(_overlaps(one, family, resolved[0], port) for one in before)
                sockets = bind_slots(family, target, slots, alone=not ours)
                rebound.new += sockets
        except OSError as error:
            if family == socket.AF_INET6 and not address.host and error.errno in NO_SUCH_FAMILY:
                continue  # ":80" on a system without IPv6
            raise StartError(explain(scheme, str(target[0]), port, error)) from error
        bound.append(BoundAddress(scheme, sockets))
        port = bound[-1].port
    return bound


def _take(
    rest: list[BoundAddress], scheme: str, family: int | None, port: int, host: str = "::"
) -> BoundAddress | None:
    """The address bound to exactly this; `family` None is a socket for both. Port 0: any of this scheme."""
    for one in rest:
        matches = one.takes_both_families() if family is None else one.family == family and one.host == host
        if matches and (one.port == port if port else one.scheme == scheme):
            rest.remove(one)
            return one
    return None


def _overlaps(one: BoundAddress, family: int, host: str, port: int) -> bool:
    """Whether this service itself makes the address unavailable."""
    return one.family == family and one.port == port and (one.host in _EVERY or host in _EVERY)


def _enough(rebound: SocketDiff, kept: BoundAddress, slots: int) -> tuple[socket.socket, ...]:
    """The existing sockets, and new ones so that all of `slots` slots have equally many. Raises OSError."""
    have = kept.sockets
    if not is_shared(have[0]):
        more = share(have, slots)[len(have) :]
        rebound.new += more
        return (*have, *more)
    wanted = -(-len(have) // slots) * slots
    more = bind_more(have[0], (wanted if wanted <= _MOST else max(slots, len(have))) - len(have))
    rebound.new += more
    rebound.not_listening += more
    return (*have, *more)
