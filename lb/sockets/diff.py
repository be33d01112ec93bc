"""From the listening sockets that there are to those that a changed configuration asks for.

What stays is kept with all that waits in it: the number of an address's sockets never falls, since closing one would
reset whoever is in its queue. What is added to an address that is served already is bound at once, so that it is known
to work, and listens at the very end: the kernel sends connections there from that moment, and nobody gives it up any
more. This file knows addresses and sockets, no processes.
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
    Bound,
    bind_more,
    bind_slots,
    explain,
    is_shared,
    resolve,
    share,
)

_MOST = 256  # sockets of an address beyond which they are not rounded up any more
_EVERY = ("0.0.0.0", "::")  # noqa: S104  compared with, not bound to


@dataclass(slots=True)
class Rebound:
    """`bound` are the addresses as they will be; `left` the sockets of those that are given up; `new` what was bound
    for this, and `not_listening` those of them that do not listen yet.

    Exactly one of `listen` with a later `close_left`, and `give_up`, ends it.
    """

    bound: tuple[Bound, ...] = ()
    left: tuple[socket.socket, ...] = ()
    new: list[socket.socket] = field(default_factory=list)
    not_listening: list[socket.socket] = field(default_factory=list)

    def listen(self) -> None:
        """Let connections come to all of `bound`. Raises OSError."""
        for sock in self.not_listening:
            sock.listen(BACKLOG)

    def give_up(self) -> None:
        """Everything stays as it was."""
        for sock in self.new:
            sock.close()

    def close_left(self) -> None:
        """Nobody serves them any more."""
        for sock in self.left:
            sock.close()


def rebind(before: Sequence[Bound], addresses: Iterable[tuple[str, ListenAddress]], slots: int) -> Rebound:
    """What is to become of `before` so that there are these (scheme, address) for `slots` slots.

    A port that the system was to pick stays the one that it picked. Raises StartError; nothing has changed then.
    """
    rebound = Rebound()
    rest = list(before)
    bound: list[Bound] = []
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
    rebound: Rebound, before: Sequence[Bound], rest: list[Bound], scheme: str, address: ListenAddress, slots: int
) -> list[Bound]:
    port = address.port
    if not address.host and (kept := _take(rest, scheme, None, port)):
        return [Bound(scheme, _enough(rebound, kept, slots))]
    bound: list[Bound] = []
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
        bound.append(Bound(scheme, sockets))
        port = bound[-1].port
    return bound


def _take(rest: list[Bound], scheme: str, family: int | None, port: int, host: str = "::") -> Bound | None:
    """What is bound to exactly this; `family` None is for a socket that takes both. Port 0: any of this scheme."""
    for one in rest:
        matches = one.takes_both_families() if family is None else one.family == family and one.host == host
        if matches and (one.port == port if port else one.scheme == scheme):
            rest.remove(one)
            return one
    return None


def _overlaps(one: Bound, family: int, host: str, port: int) -> bool:
    """Whether the system would call the address taken, and it is by ourselves."""
    return one.family == family and one.port == port and (one.host in _EVERY or host in _EVERY)


def _enough(rebound: Rebound, kept: Bound, slots: int) -> tuple[socket.socket, ...]:
    """The sockets that there are, and what is missing for `slots` slots to have as many each. Raises OSError."""
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
