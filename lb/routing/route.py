"""All that is decided about a domain, or about a path of it, at load time: made anew with each configuration. Knows no
connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from lb.routing.environment import Environment

if TYPE_CHECKING:
    from lb.routing.choices import Choices
    from lb.routing.compression import Compression
    from lb.routing.rate_limit import Pace
    from lb.routing.route_extras import RouteExtras

_NO_KEYS: Mapping[str, str] = MappingProxyType({})


class Route:
    """What holds for a bound domain, and for every other that is treated alike: with 10,000 domains, one object in the
    processor's cache instead of 10,000; and what holds for some of its paths. `body_cap` is in bytes; `connect`,
    `response` and `read` are time-outs in seconds; `compression` is None where it is off; `client_auth` is the domain,
    as it is bound, that a connection must have been verified for, None where clients need no certificate.

    `choices` are the routes of which one is taken in place of this, `extras` what only some routes ask for, `pace` is
    how often one client may ask, counted apart for `scope`; each is None where there is none.
    """

    __slots__ = (
        "body_cap",
        "cdn",
        "choices",
        "client_auth",
        "compression",
        "connect",
        "environment",
        "extras",
        "force_https",
        "pace",
        "read",
        "response",
        "scope",
    )

    def __init__(self, environment: Environment, body_cap: int) -> None:
        self.environment = environment
        self.body_cap = body_cap
        self.force_https = False
        self.cdn = False
        self.compression: Compression | None = None
        self.client_auth: bytes | None = None
        self.connect = self.response = self.read = 60.0
        self.choices: Choices[Route] | None = None
        self.extras: RouteExtras | None = None
        self.pace: Pace | None = None
        self.scope = 0

    def keys(self) -> Mapping[str, str]:
        """The keys of the configuration that set limits of its own: `limits.body` → the path of the one that holds."""
        return self.extras.keys if self.extras is not None else _NO_KEYS
