"""CORS: who is allowed what, what a preflight gets, and how a response is marked."""

from __future__ import annotations

import pytest

from lb.http.cors import Cors, mark, preflight
from lb.http.head import Limits, RequestHead
from lb.http.scan import scan_request

_ORIGIN = b"https://app.example.com"


def _cors(
    *,
    any_origin: bool = False,
    headers: tuple[bytes, ...] | None = None,
    credentials: bool = False,
    expose: bytes = b"",
) -> Cors:
    return Cors(
        any_origin=any_origin,
        origins=frozenset({_ORIGIN}),
        suffixes=((b"https", b".example.org"),),
        methods=(b"GET", b"POST"),
        headers=headers,
        expose=(expose,) if expose else (),
        credentials=credentials,
        max_age=3600,
    )


def _head(method: bytes = b"GET", **fields: bytes) -> RequestHead:
    lines = b"".join(name.replace("_", "-").encode() + b": " + value + b"\r\n" for name, value in fields.items())
    head = scan_request(method + b" / HTTP/1.1\r\nHost: api\r\n" + lines + b"\r\n", Limits())
    assert head is not None
    return head


def _asking(origin: bytes = _ORIGIN, fields: bytes = b"x-token") -> RequestHead:
    return _head(
        b"OPTIONS", Origin=origin, Access_Control_Request_Method=b"POST", Access_Control_Request_Headers=fields
    )


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (b"https://app.example.com", True),
        (b"HTTPS://APP.example.com", True),
        (b"http://app.example.com", False),
        (b"https://app.example.com:8443", False),
        (b"https://app.example.com.evil.test", False),
        (b"https://evil.test/https://app.example.com", False),
        (b"https://a.example.org", True),
        (b"https://example.org", False),
        (b"https://.example.org", False),
        (b"https://evilexample.org", False),
        (b"http://a.example.org", False),
        (b"null", False),
        (b"", False),
    ],
)
def test_an_origin_is_allowed_as_a_whole(origin: bytes, allowed: bool) -> None:
    assert _cors().allows(origin) is allowed


def test_a_preflight_is_answered() -> None:
    reply = preflight(_cors(), _asking())
    assert reply is not None
    assert (reply.status, reply.body) == (204, b"")
    assert dict(reply.fields) == {
        b"Vary": b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
        b"Access-Control-Allow-Origin": _ORIGIN,
        b"Access-Control-Allow-Methods": b"GET, POST",
        b"Access-Control-Allow-Headers": b"x-token",
        b"Access-Control-Max-Age": b"3600",
    }


def test_a_preflight_names_the_fields_of_the_configuration() -> None:
    reply = preflight(_cors(headers=(b"Authorization",)), _asking(fields=b"x-evil"))
    assert reply is not None
    assert dict(reply.fields)[b"Access-Control-Allow-Headers"] == b"Authorization"


def test_a_preflight_of_another_origin_allows_nothing() -> None:
    reply = preflight(_cors(), _asking(b"https://evil.test"))
    assert reply is not None
    assert [name for name, _ in reply.fields] == [b"Vary"]


@pytest.mark.parametrize(
    "head",
    [
        _head(b"OPTIONS", Origin=_ORIGIN),
        _head(b"OPTIONS", Access_Control_Request_Method=b"GET"),
        _head(b"GET", Origin=_ORIGIN, Access_Control_Request_Method=b"GET"),
    ],
)
def test_what_is_no_preflight_goes_on_to_the_app(head: RequestHead) -> None:
    assert preflight(_cors(), head) is None


_RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"


@pytest.mark.parametrize(
    ("cors", "origin", "added"),
    [
        (_cors(), _ORIGIN, b"Access-Control-Allow-Origin: https://app.example.com\r\nVary: Origin\r\n"),
        (_cors(), b"https://evil.test", b"Vary: Origin\r\n"),
        (_cors(any_origin=True), b"https://any.test", b"Access-Control-Allow-Origin: *\r\n"),
        (
            _cors(credentials=True, expose=b"ETag"),
            _ORIGIN,
            (
                b"Access-Control-Allow-Origin: https://app.example.com\r\nAccess-Control-Allow-Credentials: true\r\n"
                b"Access-Control-Expose-Headers: ETag\r\nVary: Origin\r\n"
            ),
        ),
    ],
)
def test_a_response_is_marked(cors: Cors, origin: bytes, added: bytes) -> None:
    assert mark(cors, _head(Origin=origin), _RESPONSE) == _RESPONSE + added


def test_what_the_app_says_itself_is_replaced() -> None:
    lines = _RESPONSE + b"Access-Control-Allow-Origin: *\r\n"
    assert mark(_cors(), _head(), lines) == _RESPONSE + b"Vary: Origin\r\n"
