"""All that is decided about a domain at load time: made anew with each configuration. Knows no connection."""

from __future__ import annotations

from dataclasses import dataclass

from lb.routing.environment import Environment


@dataclass(frozen=True, slots=True)
class Compression:
    """When and how responses are compressed (C1): codings in order of preference, the size of the smallest body in
    bytes, media types.
    """

    codings: tuple[bytes, ...]
    min_size: int
    types: frozenset[bytes]


class Route:
    """The settings of a bound domain, shared with every other that has the same: with 10,000 domains, one object in the
    processor's cache instead of 10,000. `body_cap` is in bytes; `compression` is None if it is off; `client_auth` is
    the domain, as it is bound, that a connection must have been verified for, None if clients need no certificate.
    """

    __slots__ = ("body_cap", "cdn", "client_auth", "compression", "environment", "force_https")

    def __init__(self, environment: Environment, body_cap: int) -> None:
        self.environment = environment
        self.body_cap = body_cap
        self.force_https = False
        self.cdn = False
        self.compression: Compression | None = None
        self.client_auth: bytes | None = None
