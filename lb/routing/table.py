"""From the Host of a request to the route of its domain (D2): exact beats one-label wildcard; case, final dot and
port do not count.

Hosts are looked up as they are written in requests: a result is cached under that spelling, so the usual request costs
one dict look-up however many domains are bound. Only spellings that were found are cached, and only so many.
"""

from __future__ import annotations

from collections.abc import Mapping

from lb.routing.environment import Environment
from lb.routing.route import Route

_REMEMBERED = 65536
_LONGEST = 261  # bytes of the longest name, with final dot and port


class RouteTable:
    """The routes of one snapshot by name: A-labels in lower case, `*.` in front of a wildcard's parent, `*` for any
    host.
    """

    __slots__ = ("_any", "_exact", "_seen", "_wildcard")

    def __init__(self, routes: Mapping[str, Route]) -> None:
        self._exact = {name.encode(): route for name, route in routes.items() if not name.startswith("*")}
        self._wildcard = {name[2:].encode(): route for name, route in routes.items() if name.startswith("*.")}
        self._any = routes.get("*")
        self._seen: dict[bytes, Route] = {}

    def find(self, host: bytes) -> Route | None:
        """The route for this Host (without userinfo; a port is ignored), or None for an unbound name."""
        route = self._seen.get(host)
        if route is not None:
            return route
        route = self._look_up(host_name(host))
        if route is not None and len(self._seen) < _REMEMBERED and len(host) <= _LONGEST:
            self._seen[host] = route
        return route

    def environments(self) -> set[Environment]:
        """The environments that any of the routes leads to."""
        routes = [*self._exact.values(), *self._wildcard.values()]
        if self._any is not None:
            routes.append(self._any)
        return {route.environment for route in routes}

    def _look_up(self, name: bytes) -> Route | None:
        route = self._exact.get(name)
        if route is None and self._wildcard:
            label, _, parent = name.partition(b".")
            if label:
                route = self._wildcard.get(parent)
        return route if route is not None else self._any


def host_name(host: bytes) -> bytes:
    """A Host's name or address: lower case, without port, brackets and final dot."""
    if host.startswith(b"["):
        return host[1 : host.find(b"]")].lower()
    name = host.partition(b":")[0].lower()
    return name[:-1] if name.endswith(b".") else name
