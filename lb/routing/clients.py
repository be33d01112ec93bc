"""Who counts as one client, and what is remembered of clients over all workers.

An IPv4 address is one client; of an IPv6 address the first 64 bits are, which is what one subscriber gets; an IPv4
address that is written as an IPv6 one is the IPv4 address. A key is a keyed hash of that: nobody outside can choose
addresses whose keys meet.

Behind a CDN that is trusted, the client is who it says: the last address of X-Forwarded-For that is not trusted itself.
What stands before it was said by the client, and is not looked at.
"""

from __future__ import annotations

import os
import socket

from lb.routing.connection_count import Presence
from lb.routing.networks import Networks
from lb.routing.rate_limit import Paces

_HOPS = 16  # trusted addresses that are looked past: no chain of CDNs is longer, and each costs a look-up
_MAPPED = b"::ffff:"


class Clients:
    """What all workers remember of clients. Made before the first fork."""

    __slots__ = ("_secret", "paces", "presence")

    def __init__(self) -> None:
        self._secret = os.urandom(16)
        self.paces = Paces()
        self.presence = Presence()

    def key(self, address: bytes) -> int:
        """The key of who has this address, in text; 0 where it is none. Never 0 otherwise, and fits 64 bits signed."""
        packed = packed_client(address)
        # Workers are forks of one process, so str and bytes hash alike in all of them; the secret is theirs alone.
        return (hash(self._secret + packed) or 1) if packed else 0


def packed_client(address: bytes) -> bytes:
    """The bytes of an address in text that say whose it is; empty where it is not an address."""
    try:
        if b":" not in address:
            return socket.inet_pton(socket.AF_INET, address.decode())
        packed = socket.inet_pton(socket.AF_INET6, address.decode())
    except (OSError, ValueError):
        return b""
    return packed[12:] if packed.startswith(b"\0" * 10 + b"\xff\xff") else packed[:8]


def client_behind(chain: bytes, trusted: Networks) -> bytes:
    """Who a trusted proxy says it speaks for, given its X-Forwarded-For; empty where it names nobody."""
    parts = chain.rsplit(b",", _HOPS)
    for part in reversed(parts[1:] if len(parts) > _HOPS else parts):
        address = _plain(part)
        if not packed_client(address):
            return b""
        if address not in trusted:
            return address
    return b""


def _plain(part: bytes) -> bytes:
    """An element of X-Forwarded-For without what some put around an address: blanks, a port, brackets."""
    part = part.strip()
    if part.startswith(b"["):
        part = part[1:].partition(b"]")[0]
    elif part.count(b":") == 1:
        part = part.partition(b":")[0]
    return part[len(_MAPPED) :] if part.lower().startswith(_MAPPED) and b"." in part else part
