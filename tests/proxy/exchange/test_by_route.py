"""What a route's rules make of a request and its response, without a connection."""

from __future__ import annotations

from typing import Any

import pytest

from lb.errors import CAUSES, ProxyError
from lb.http.head import Limits, RequestHead, ResponseHead
from lb.http.reply import error_reply
from lb.http.scan import scan_request, scan_response
from lb.proxy.client_info import ClientInfo
from lb.proxy.exchange.by_route import (
    RequestView,
    guard,
    lines_with_page,
    own_reply,
    page_instead,
    preflight_reply,
    request_lines,
    response_lines,
)
from lb.routing.auth_rules import ForwardAuthRule
from lb.routing.route import Route
from lb.routing.route_extras import RouteExtras
from tests.routing.test_compile_routes import HOST, found, snapshot_of


def _head(target: str = "/", *lines: str, method: str = "GET") -> RequestHead:
    head = scan_request(
        "\r\n".join((f"{method} {target} HTTP/1.1", f"Host: {HOST}", *lines, "", "")).encode(), Limits()
    )
    assert head is not None
    return head


def _asking(app: dict[str, Any], head: RequestHead, address: bytes = b"192.0.2.1") -> RequestView:
    snapshot = snapshot_of(app)
    no_engine: Any = None
    info = ClientInfo(no_engine, b"http", address)
    route = found(snapshot, target=head.target.decode().partition("?")[0])
    return RequestView(info, head, route, snapshot, b"id")


@pytest.mark.parametrize(
    ("route", "address", "kept_out"),
    [
        ({"deny": True}, b"192.0.2.1", True),
        ({"deny": "192.0.2.0/24"}, b"192.0.2.1", True),
        ({"deny": "192.0.2.0/24"}, b"198.51.100.1", False),
        ({"allow": "192.0.2.0/24"}, b"192.0.2.1", False),
        ({"allow": "192.0.2.0/24"}, b"2001:db8::1", True),
        ({"allow": "0.0.0.0/0", "deny": "192.0.2.0/24"}, b"192.0.2.1", True),
    ],
)
def test_who_is_kept_out(route: dict[str, Any], address: bytes, kept_out: bool) -> None:
    # spec: P3
    asking = _asking({"routes": [{"path": "/a/", **route}]}, _head("/a/b"), address)
    if kept_out:
        with pytest.raises(ProxyError) as error:
            guard(asking)
        assert error.value.cause.code == "http_request_denied"
    else:
        assert guard(asking) == ()


def test_a_preflight_is_answered_before_a_guard() -> None:
    app = {"routes": [{"path": "/a/", "deny": True, "cors": {"origins": "https://b.example"}}]}
    lines = ("Origin: https://b.example", "Access-Control-Request-Method: GET")
    reply = preflight_reply(_asking(app, _head("/a/", *lines, method="OPTIONS")))
    assert reply is not None
    assert reply.status == 204


def test_what_is_asked_holds_for_every_reading_of_the_path() -> None:
    # spec: P3
    app = {"routes": [{"path": "/a/", "forward_auth": "http://127.0.0.1:1/a"}, {"path": "/", "app": "api"}]}
    rules = guard(_asking(app, _head("/b/%2e%2e/a/")))
    assert [rule.target for rule in rules if isinstance(rule, ForwardAuthRule)] == [b"/a"]
    assert guard(_asking(app, _head("/b/"))) == ()


@pytest.mark.parametrize(
    ("route", "target", "seen"),
    [
        ({"path": "/api/", "strip": "/api"}, "/api/a?b", b"GET /a?b HTTP/1.1\r\n"),
        ({"path": "/api/", "strip": "/api"}, "/api", b"GET / HTTP/1.1\r\n"),
        ({"path": "/a", "prefix": "/x/"}, "/a", b"GET /x/a HTTP/1.1\r\n"),
        ({"path": "/{id}/b", "rewrite": "/c/{id}", "prefix": "/d"}, "/7/b?q", b"GET /d/c/7?q HTTP/1.1\r\n"),
    ],
)
def test_the_app_gets_another_path(route: dict[str, Any], target: str, seen: bytes) -> None:
    head = _head(target)
    assert request_lines(head.kept, _asking({"routes": [route]}, head)).startswith(seen)


def test_fields_change_both_ways() -> None:
    head = _head("/", "X-Debug: 1")
    fields = {
        "request": {"set": {"X-Id": "{request_id}"}, "remove": ["x-debug"]},
        "response": {"add": {"X-A": "{host}"}},
    }
    asking = _asking({"headers": fields}, head)
    assert b"X-Id: id\r\n" in request_lines(head.kept, asking)
    assert b"X-Debug" not in request_lines(head.kept, asking)
    assert response_lines(b"HTTP/1.1 200 OK\r\n", asking) == b"HTTP/1.1 200 OK\r\nX-A: shop.example.com\r\n"


def _response(status: bytes, *lines: bytes) -> ResponseHead:
    head = scan_response(b"\r\n".join((b"HTTP/1.1 " + status, *lines, b"", b"")), Limits())
    assert head is not None
    return head


def test_a_page_stands_for_the_apps_error_but_not_for_json() -> None:
    extras = RouteExtras(error_pages={404: b"<p>"})
    html = _head("/", "Accept: text/html")
    assert page_instead(extras, html, _response(b"404 Not Found", b"Content-Type: text/html")) == b"<p>"
    assert page_instead(extras, html, _response(b"404 Not Found", b"Content-Type: application/json")) is None
    assert page_instead(extras, html, _response(b"403 Forbidden")) is None
    assert page_instead(extras, _head("/", "Accept: application/json"), _response(b"404 Not Found")) is None


def test_the_page_keeps_what_is_not_about_the_body() -> None:
    kept = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nETag: a\r\nContent-Encoding: gzip\r\n"
    lines = lines_with_page(kept, b"<p>")
    assert b"WWW-Authenticate: Basic\r\n" in lines
    assert b"ETag" not in lines
    assert b"Content-Encoding" not in lines
    assert lines.endswith(b"Content-Length: 3\r\n")


def test_a_page_stands_for_an_error_of_our_own() -> None:
    reply = error_reply(CAUSES["connection_refused"], b"text/html", b"id", "")
    shown = own_reply(RouteExtras(error_pages={502: b"<p>"}), _head("/", "Accept: text/html"), reply)
    assert (shown.status, shown.body) == (502, b"<p>")
    assert b"Proxy-Status" in dict(shown.fields)
    assert own_reply(RouteExtras(error_pages={502: b"<p>"}), _head("/", "Accept: application/json"), reply) is reply


def test_a_route_without_rules_changes_nothing() -> None:
    route = Route(None, 0)  # type: ignore[arg-type]  # it leads nowhere
    asking = RequestView(None, _head(), route, None, b"")  # type: ignore[arg-type]
    assert request_lines(b"GET / HTTP/1.1\r\n", asking) == b"GET / HTTP/1.1\r\n"
    assert response_lines(b"HTTP/1.1 200 OK\r\n", asking) == b"HTTP/1.1 200 OK\r\n"
