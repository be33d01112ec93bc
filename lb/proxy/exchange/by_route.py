"""What the rules of a route make of a request and of its response: who may ask, where a client is sent, which fields
and paths are changed, which page stands for an error.

Only exchanges whose route has such rules come here. It knows rules, heads and clients, and moves no bytes; a request
that may not go on is raised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lb.errors import ProxyError
from lb.http.cookies import field_value
from lb.http.cors import mark, preflight
from lb.http.head import RequestHead, ResponseHead, without_fields
from lb.http.negotiate import choose_error_form
from lb.http.reply import Reply, redirect
from lb.proxy.exchange.admission import origin
from lb.routing.auth_rules import AuthRule
from lb.routing.request_values import RequestValues
from lb.routing.route import Route
from lb.routing.route_extras import PathChange, RedirectRule, RouteExtras
from lb.routing.snapshot import Snapshot

if TYPE_CHECKING:
    from lb.proxy.client_info import ClientInfo

_OF_ANOTHER_BODY = frozenset(
    (
        b"accept-ranges",
        b"cache-control",
        b"content-digest",
        b"content-disposition",
        b"content-encoding",
        b"content-language",
        b"content-length",
        b"content-md5",
        b"content-security-policy",
        b"content-type",
        b"digest",
        b"etag",
        b"expires",
        b"last-modified",
        b"repr-digest",
    )
)
_PAGE_FIELDS = ((b"Content-Type", b"text/html; charset=utf-8"), (b"Cache-Control", b"no-store"))


@dataclass(frozen=True, slots=True)
class RequestView:
    """A request, as far as rules go by it."""

    info: ClientInfo
    head: RequestHead
    route: Route
    snapshot: Snapshot
    request_id: bytes


def preflight_reply(asking: RequestView) -> Reply | None:
    """The answer to a CORS preflight, None where the request is none. It carries no credentials, so no guard stands
    before it.
    """
    extras: RouteExtras | None = asking.route.extras
    if extras is None or extras.cors is None:
        return None
    return preflight(extras.cors, asking.head)


def guard(asking: RequestView) -> tuple[AuthRule, ...]:
    """Look at the client's address, and return what is to be asked about it besides: all of it has to let the request
    pass. Raises ProxyError for a client that is kept out: http_request_denied.
    """
    head = asking.head
    route = asking.route
    guarding = route.guarding(head) if head.odd_path else ()
    address: bytes | None = None
    asks: dict[AuthRule, None] = {}
    for one in (route, *guarding):
        extras: RouteExtras | None = one.extras
        if extras is None or not extras.is_guarded:
            continue
        if address is None:
            address = origin(asking.info, head, route, asking.snapshot)
        if extras.deny is not None and address in extras.deny:
            raise ProxyError("http_request_denied")
        if extras.allow is not None and address not in extras.allow:
            raise ProxyError("http_request_denied")
        asks.update(dict.fromkeys(extras.asks))
    return tuple(asks)


def redirect_reply(rule: RedirectRule, asking: RequestView) -> Reply:
    """Where the route sends its clients."""
    return _redirected(rule, asking.head, values_of(asking))


def _redirected(rule: RedirectRule, head: RequestHead, values: RequestValues) -> Reply:
    location = rule.location.fill(values)
    if rule.stays and location[1:2] in (b"/", b"\\"):
        location = b"/" + location.lstrip(b"/\\")  # which a browser would take for the name of another host
    query = head.target.partition(b"?")[2]
    if query and rule.keeps_query:
        location += b"?" + query
    status = rule.status or (301 if head.method in (b"GET", b"HEAD") else 308)
    return redirect(location, status)


def values_of(asking: RequestView) -> RequestValues:
    """What placeholders stand for in this request."""
    route = asking.route
    info = asking.info
    client = origin(info, asking.head, route, asking.snapshot)
    pattern = route.extras.pattern if route.extras is not None else None
    return RequestValues(asking.head, info.scheme_of(route, asking.head), client, asking.request_id, pattern)


def request_lines(kept: bytes, asking: RequestView) -> bytes:
    """The request line and the field lines for the app: with another path, with other fields."""
    extras = asking.route.extras
    if extras is None or (extras.path is None and extras.request_fields is None):
        return kept
    values = values_of(asking)
    if extras.path is not None:
        target = asking.head.target
        start = len(asking.head.method) + 1
        kept = kept[:start] + _changed(extras.path, target, values) + kept[start + len(target) :]
    if extras.request_fields is not None:
        kept = extras.request_fields.apply(kept, values)
    return kept


def _changed(change: PathChange, target: bytes, values: RequestValues) -> bytes:
    path, mark_, query = target.partition(b"?")
    if change.rewrite is not None:
        path = change.rewrite.fill(values)
    elif path.startswith(change.strip):
        path = path[len(change.strip) :]
    if not path.startswith(b"/"):
        path = b"/" + path
    if query and b"?" in path:
        mark_ = b"&"  # the rewritten path has parameters of its own
    return change.prefix + path + mark_ + query


def response_lines(lines: bytes, asking: RequestView) -> bytes:
    """The status line and the field lines for the client: with other fields, marked for CORS."""
    extras = asking.route.extras
    if extras is None:
        return lines
    if extras.response_fields is not None:
        lines = extras.response_fields.apply(lines, values_of(asking))
    if extras.cors is not None:
        lines = mark(extras.cors, asking.head, lines)
    if extras.hsts is not None and asking.info.came_securely(asking.route, asking.head):
        lines = _with_hsts(lines, extras.hsts)
    return lines


def _with_hsts(lines: bytes, value: bytes) -> bytes:
    """With Strict-Transport-Security, unless the app or a rule sends its own; never over HTTP (RFC 6797 7.2)."""
    if field_value(lines, b"strict-transport-security") is not None:
        return lines
    return lines + b"Strict-Transport-Security: " + value + b"\r\n"


def page_for(extras: RouteExtras, status: int, accept: bytes) -> bytes | None:
    """The page in place of an error's, for a client that takes HTML."""
    if extras.error_pages is None or choose_error_form(accept) != "html":
        return None
    return extras.error_pages.get(status)


def own_reply(extras: RouteExtras, head: RequestHead, reply: Reply) -> Reply:
    """A reply of our own, or of an authentication service, with the page that the route has for it: what the reply says
    beside its body stays, and what is for programs is never replaced.
    """
    page = page_for(extras, reply.status, head.accept()) if reply.status >= 400 else None
    if page is None or any(name.lower() == b"content-type" and b"json" in value for name, value in reply.fields):
        return reply
    kept = tuple(field for field in reply.fields if field[0].lower() not in _OF_ANOTHER_BODY)
    return Reply(reply.status, (*_PAGE_FIELDS, *kept), page)


def page_instead(extras: RouteExtras, head: RequestHead, response: ResponseHead) -> bytes | None:
    """The page in place of the app's own answer, None where that is to stay: what is for programs is never replaced."""
    if b"json" in response.content_type().lower():
        return None
    return page_for(extras, response.status, head.accept())


def lines_with_page(kept: bytes, page: bytes) -> bytes:
    """The app's status line and fields with this page as the body."""
    lines = without_fields(kept, _OF_ANOTHER_BODY)
    for name, value in _PAGE_FIELDS:
        lines += b"%b: %b\r\n" % (name, value)
    return lines + b"Content-Length: %d\r\n" % len(page)
