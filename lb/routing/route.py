"""All that is decided about a domain, or about a path of it, at load time: made anew with each configuration. Knows no
connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from lb.http.head import RequestHead
from lb.routing.choices import NONE, Choices
from lb.routing.environment import Environment

if TYPE_CHECKING:
    from lb.routing.compression import Compression
    from lb.routing.rate_limit import RateLimit
    from lb.routing.route_extras import RouteExtras

_NO_KEYS: Mapping[str, str] = MappingProxyType({})


class Route:
    """The settings of a bound domain, shared with every other that has the same: with 10,000 domains, one object in the
    processor's cache instead of 10,000; or those of some of its paths. `body_cap` is in bytes; `connect`,
    `response` and `read` are time-outs in seconds; `compression` is None if it is off; `client_auth` is the domain, as
    it is bound, that a connection must have been verified for, None if clients need no certificate. `proxied` says that
    what a trusted proxy reports counts: for a domain behind a `cdn`, and where it names the client (`names_client`).

    Of `branches` one is taken in place of this, as `choices` say; `extras` is what only some routes ask for, `pace` is
    how often one client may ask, counted apart for `scope`; each is None where there is none.
    """

    __slots__ = (
        "body_cap",
        "branches",
        "cdn",
        "choices",
        "client_auth",
        "compression",
        "connect",
        "environment",
        "extras",
        "force_https",
        "names_client",
        "pace",
        "proxied",
        "read",
        "response",
        "scope",
    )

    def __init__(self, environment: Environment, body_cap: int) -> None:
        self.environment = environment
        self.body_cap = body_cap
        self.force_https = False
        self.cdn = self.names_client = self.proxied = False
        self.compression: Compression | None = None
        self.client_auth: bytes | None = None
        self.connect = self.response = self.read = 60.0
        self.choices: Choices | None = None
        self.branches: tuple[Route, ...] = ()
        self.extras: RouteExtras | None = None
        self.pace: RateLimit | None = None
        self.scope = 0

    def branch(self, head: RequestHead) -> Route:
        """The route for this request's path: one of the branches, or this."""
        number = self.choices.pick(head) if self.choices is not None else NONE
        return self.branches[number] if number != NONE else self

    def guarding(self, head: RequestHead) -> tuple[Route, ...]:
        """The branches whose guards hold for this request, too, since its path may be read as theirs."""
        if self.choices is None:
            return ()
        return tuple([self.branches[number] for number in self.choices.others(head)])

    def keys(self) -> Mapping[str, str]:
        """The keys of the configuration that set limits of its own: `limits.body` → the path of the one that holds."""
        return self.extras.keys if self.extras is not None else _NO_KEYS
