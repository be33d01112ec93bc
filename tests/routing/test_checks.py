"""What is decided before an instance is asked: the reserved path, and the redirect to HTTPS."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from lb.http.head import Limits, RequestHead
from lb.http.reply import Reply
from lb.http.scan import scan_request
from lb.routing.checks import RESERVED, answer_challenge, https_redirect, plain_path, redirect_to_https
from lb.routing.environment import Environment
from lb.routing.networks import Networks
from lb.routing.policy import Policy
from lb.routing.route import Route
from lb.routing.snapshot import Snapshot
from lb.routing.table import RouteTable
from tests.routing.instances import make

KNOWN = {b"token": b"token.thumbprint"}


def ask(path: bytes) -> Reply | None:
    return answer_challenge(path, b"", b"id", KNOWN.get)


# spec: T6
def test_a_known_token_gets_its_authorization() -> None:
    reply = ask(RESERVED + b"token?query")
    assert reply is not None
    assert (reply.status, reply.body) == (200, b"token.thumbprint")


# spec: T6
@pytest.mark.parametrize(
    "path",
    [
        RESERVED + b"other",
        RESERVED,
        b"/.well-known/acme-challenge/../acme-challenge/token",
        b"//.well-known//acme-challenge/token",
        b"/.well-known/%61cme-challenge/token",
        b"/.well-known/%2561cme-challenge/token",
        b"/.well-known\\acme-challenge\\token",
        b"/x/../.well-known/acme-challenge/token",
        b"/%25252525252561",
    ],
)
def test_every_other_spelling_ends_here(path: bytes) -> None:
    reply = ask(path)
    assert reply is not None
    assert reply.status == 404


# spec: T6
@pytest.mark.parametrize(
    "path", [b"/", b"/.well-known/", b"/.well-known/acme-challengers/x", b"/a?/.well-known/acme-challenge/x"]
)
def test_other_paths_pass(path: bytes) -> None:
    assert ask(path) is None


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        (b"/a//b/./c", b"/a/b/c"),
        (b"/a/../../b", b"/b"),
        (b"/a/b/..", b"/a/"),
        (b"/a%2fb/", b"/a/b/"),
        (b"", b"/"),
    ],
)
def test_what_a_lenient_server_could_take_a_path_for(path: bytes, plain: bytes) -> None:
    assert plain_path(path) == plain


# spec: T2
@pytest.mark.parametrize(
    ("method", "host", "target", "port", "status", "location"),
    [
        (b"GET", b"a.example", b"/x?y", None, 301, b"https://a.example/x?y"),
        (b"HEAD", b"a.example:80", b"/", 443, 301, b"https://a.example/"),
        (b"POST", b"a.example", b"/", 8443, 308, b"https://a.example:8443/"),
        (b"OPTIONS", b"a.example", b"*", None, 308, b"https://a.example"),
        (b"GET", b"[::1]:8080", b"/", 8443, 301, b"https://[::1]:8443/"),
    ],
)
def test_where_a_redirect_leads(
    method: bytes, host: bytes, target: bytes, port: int | None, status: int, location: bytes
) -> None:
    reply = redirect_to_https(method, host, target, port)
    assert (reply.status, dict(reply.fields)[b"Location"]) == (status, location)


def request(*lines: str) -> RequestHead:
    head = scan_request("\r\n".join(("GET / HTTP/1.1", "Host: a.example", *lines, "", "")).encode(), Limits())
    assert head is not None
    return head


# spec: T2, T3
@pytest.mark.parametrize(
    ("cdn", "address", "lines", "secure", "redirected"),
    [
        (False, b"192.0.2.1", (), False, True),
        (False, b"192.0.2.1", (), True, False),
        (False, b"10.0.0.1", ("X-Forwarded-Proto: http",), True, False),  # nobody asked a CDN
        (True, b"10.0.0.1", ("X-Forwarded-Proto: https",), False, False),
        (True, b"10.0.0.1", ("X-Forwarded-Proto: https, http",), True, True),  # the CDN's own word is the last
        (True, b"10.0.0.1", (), False, False),
        (True, b"192.0.2.1", ("X-Forwarded-Proto: https",), False, True),  # not a CDN that is trusted
    ],
)
def test_who_is_redirected(cdn: bool, address: bytes, lines: tuple[str, ...], secure: bool, redirected: bool) -> None:
    route = Route(Environment("a", "production", make(1), Policy()), 0)
    route.cdn = route.proxied = cdn
    snapshot = Snapshot(RouteTable({}), Limits(), KNOWN.get, Networks([ip_network("10.0.0.0/8")]))
    assert (https_redirect(route, snapshot, request(*lines), secure, address) is not None) is redirected
