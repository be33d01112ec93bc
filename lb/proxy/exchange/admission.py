"""Which route a request takes, and whether it may proceed: everything checked before anything is forwarded.

It knows the client, the head and the snapshot that the exchange uses. It does not know instances, nor what becomes of
a refused request: it raises.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from lb.errors import ProxyError
from lb.http.forwarding import MAX_PASSES
from lb.http.head import RequestHead
from lb.routing.clients import named_client
from lb.routing.route import Route
from lb.routing.snapshot import Snapshot

if TYPE_CHECKING:
    from lb.proxy.client_info import ClientInfo


def find_route(client: ClientInfo, head: RequestHead, snapshot: Snapshot) -> Route:
    """The route of the request's Host (D2) and path (P1). Raises ProxyError: client_rate_limit_reached (L5),
    misdirected_request (D5), destination_not_found.
    """
    route = snapshot.table.find(head.host)
    if route is not None and route.choices is not None:
        route = route.branch(head)
    if snapshot.client_pace is not None or (route is not None and route.pace is not None):
        early = client.early(route, head)
        if early > 0.0:
            key = route.keys().get("limits.client_rate") if route is not None else None
            detail = f"the limit is {key}" if key is not None else ""
            raise ProxyError("client_rate_limit_reached", detail, retry_after=max(ceil(early), 1))
    if client.certificate is not None and not client.covers(head.host):
        raise ProxyError("misdirected_request")
    if route is None:
        raise ProxyError("destination_not_found")
    return route


def admit(client: ClientInfo, head: RequestHead, route: Route) -> None:
    """Raise ProxyError for a request that may not go on to the app: misdirected_request, client_certificate_required,
    proxy_loop_detected (H5).
    """
    if route.client_auth is not None and client.client_auth != route.client_auth:
        raise ProxyError("misdirected_request" if client.secure else "client_certificate_required")
    if head.passes >= MAX_PASSES:
        raise ProxyError("proxy_loop_detected")


def origin(client: ClientInfo, head: RequestHead, route: Route, snapshot: Snapshot) -> bytes:
    """The address that the request comes from: the client's, if a trusted proxy reports it."""
    address = client.address
    if route.proxied and snapshot.trusts(address):
        return named_client(head.forwarded_for or b"", snapshot.trusted) or address
    return address
