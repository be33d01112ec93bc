"""What counts as one client, and what is remembered of clients over all workers.

An IPv4 address is one client; of an IPv6 address the first 64 bits are, which is what one subscriber gets; an IPv4
address written as an IPv6 one is the IPv4 address. A key is a keyed hash of that, so that an attacker cannot choose
addresses whose keys collide.

Behind a trusted CDN, the client is the last address of X-Forwarded-For that is not trusted itself. The client wrote
what stands before it, so that is ignored.
"""

from __future__ import annotations

import os
import socket

from lb.routing.connection_count import ConnectionCounts
from lb.routing.networks import Networks
from lb.routing.rate_limit import RateLimiter

_HOPS = 16  # trusted addresses that are skipped: no chain of CDNs is longer, and each costs a look-up
_MAPPED = b"::ffff:"


class Clients:
    """What all workers remember of clients. Made before the first fork."""

    __slots__ = ("_secret", "connection_counts", "rate_limiter")

    def __init__(self) -> None:
        self._secret = os.urandom(16)
        self.rate_limiter = RateLimiter()
        self.connection_counts = ConnectionCounts()

    def key(self, address: bytes) -> int:
        """The key of the client with this address, in text; 0 if it is none. Never 0 otherwise, and fits 64 bits
        signed.
        """
        packed = packed_client(address)
        # Workers are forks of one process, so str and bytes hash alike in all of them, and nowhere else.
        return (hash(self._secret + packed) or 1) if packed else 0


def packed_client(address: bytes) -> bytes:
    """The bytes that identify the client of an address in text; empty if it is not an address."""
    try:
        if b":" not in address:
            return socket.inet_pton(socket.AF_INET, address.decode())
        packed = socket.inet_pton(socket.AF_INET6, address.decode())
    except (OSError, ValueError):
        return b""
    return packed[12:] if packed.startswith(b"\0" * 10 + b"\xff\xff") else packed[:8]


def client_behind(chain: bytes, trusted: Networks) -> bytes:
    """The client that a trusted proxy names in its X-Forwarded-For; empty if there is none."""
    parts = chain.rsplit(b",", _HOPS)
    for part in reversed(parts[1:] if len(parts) > _HOPS else parts):
        address = _plain(part)
        if not packed_client(address):
            return b""
        if address not in trusted:
            return address
    return b""


def named_client(chain: bytes, trusted: Networks) -> bytes:
    """The client that a trusted proxy names, which may be trusted itself: then it is the first of them. Empty if there
    is none.
    """
    client = client_behind(chain, trusted)
    if client or chain.count(b",") >= _HOPS:
        return client
    parts = [_plain(part) for part in chain.split(b",")]
    return parts[0] if all(packed_client(part) and part in trusted for part in parts) else b""


def _plain(part: bytes) -> bytes:
    """An element of X-Forwarded-For without the blanks, port or brackets that some put around an address."""
    part = part.strip()
    if part.startswith(b"["):
        part = part[1:].partition(b"]")[0]
    elif part.count(b":") == 1:
        part = part.partition(b":")[0]
    return part[len(_MAPPED) :] if part.lower().startswith(_MAPPED) and b"." in part else part
