"""What an app is told about its client (H1, H2), and which upgrades a client has asked for, as tables."""

from __future__ import annotations

import pytest

from lb.http.forwarding import around_host, client_certificate_line, host_value, is_among


@pytest.mark.parametrize(
    ("address", "chain", "fields"),
    [
        (b"192.0.2.1", b"192.0.2.1", (b"192.0.2.1", b"192.0.2.1", b"192.0.2.1")),
        (b"192.0.2.1", b"198.51.100.7, 192.0.2.1", (b"192.0.2.1", b"198.51.100.7, 192.0.2.1", b"192.0.2.1")),
        (b"2001:db8::1", b"2001:db8::1", (b"2001:db8::1", b"2001:db8::1", b'"[2001:db8::1]"')),
    ],
)
@pytest.mark.parametrize("scheme", [b"http", b"https"])
def test_the_client_is_described(
    address: bytes, chain: bytes, fields: tuple[bytes, bytes, bytes], scheme: bytes
) -> None:
    # spec: H1, H2, H5; RFC 7239 section 4
    before, behind = around_host(address, scheme, chain)
    assert (before + b"a.example" + behind).split(b"\r\n") == [
        b"X-Real-IP: " + fields[0],
        b"X-Forwarded-For: " + fields[1],
        b"X-Forwarded-Proto: " + scheme,
        b"Forwarded: for=" + fields[2] + b";host=a.example;proto=" + scheme,
        b"Via: 1.1 lb",
        b"",
    ]


def test_a_clients_certificate_is_a_byte_sequence() -> None:
    # spec: T7; RFC 9440 section 2.1
    assert client_certificate_line(None) == b""
    assert client_certificate_line(b"\x30\x82\xff") == b"Client-Cert: :MIL/:\r\n"


@pytest.mark.parametrize(
    ("host", "value"),
    [(b"a.example", b"a.example"), (b"a.example:80", b'"a.example:80"'), (b"[::1]", b'"[::1]"'), (b"", b'""')],
)
def test_a_host_that_is_no_token_is_quoted(host: bytes, value: bytes) -> None:
    # spec: H1; RFC 7239 section 4
    assert host_value(host) == value


@pytest.mark.parametrize(
    ("chosen", "asked", "among"),
    [
        (b"websocket", b"websocket", True),
        (b"WebSocket", b"h2c , websocket", True),
        (b"b, a", b"a, b, c", True),
        (b"a, d", b"a, b, c", False),
        (b"web", b"websocket", False),
        (b"", b"websocket", False),
        (None, b"websocket", False),
        (b"websocket", None, False),
        (None, None, False),
    ],
)
def test_only_a_protocol_that_was_asked_for_is_switched_to(
    chosen: bytes | None, asked: bytes | None, among: bool
) -> None:
    # spec: F5; RFC 9110 section 7.8
    assert is_among(chosen, asked) is among
