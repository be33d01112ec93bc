"""Whether an address is in one of many networks: one set of integers per prefix length, so it costs a few look-ups."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network


class Networks:
    """A set of IP networks."""

    __slots__ = ("_four", "_six")

    def __init__(self, networks: Iterable[IPv4Network | IPv6Network]) -> None:
        self._four: dict[int, set[int]] = {}  # bits behind the prefix → prefixes
        self._six: dict[int, set[int]] = {}
        for network in networks:
            behind = network.max_prefixlen - network.prefixlen
            prefixes = self._four if network.version == 4 else self._six
            prefixes.setdefault(behind, set()).add(int(network.network_address) >> behind)

    def __contains__(self, address: bytes) -> bool:
        """`address` is an IPv4 or IPv6 address in text."""
        if b":" in address:
            number = int.from_bytes(socket.inet_pton(socket.AF_INET6, address.decode()), "big")
            return any(number >> behind in prefixes for behind, prefixes in self._six.items())
        number = int.from_bytes(socket.inet_pton(socket.AF_INET, address.decode()), "big")
        return any(number >> behind in prefixes for behind, prefixes in self._four.items())
