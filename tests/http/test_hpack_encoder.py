"""Lines of HTTP/1 become header blocks that another implementation reads as the same fields."""

from __future__ import annotations

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lb.http.hpack_encoder import NO_TABLE, encode_fields, encode_request, encode_response
from lb.http.hpack_tables import STATIC


def decoded(block: bytes) -> list[tuple[bytes, bytes]]:
    fields = hpack.Decoder(max_header_list_size=1 << 24).decode(block, raw=True)
    return [(bytes(name), bytes(value)) for name, value in fields]


def test_a_response() -> None:
    # spec: W1
    lines = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nSet-Cookie:a=b \r\nX-A:\r\n"
    assert decoded(encode_response(lines, b"Date: today\r\n")) == [
        (b":status", b"200"),
        (b"content-type", b"text/html"),
        (b"set-cookie", b"a=b"),
        (b"x-a", b""),
        (b"date", b"today"),
    ]


@pytest.mark.parametrize("status", [100, 103, 200, 204, 206, 304, 400, 404, 500, 502, 599])
def test_every_status(status: int) -> None:
    # spec: W1
    block = encode_response(b"HTTP/1.1 %d \r\n" % status, b"")
    assert decoded(block) == [(b":status", b"%d" % status)]
    assert len(block) == (1 if status in (200, 204, 206, 304, 400, 404, 500) else 5)


def test_fields_of_one_connection_stay_behind() -> None:
    # spec: H4
    lines = (
        b"Connection: close\r\nKEEP-ALIVE: x\r\nProxy-Connection: x\r\nTransfer-Encoding: chunked\r\nUpgrade: h2c\r\n"
    )
    assert encode_fields(lines) == b""
    assert decoded(encode_response(b"HTTP/1.1 200 OK\r\n" + lines + b"Te: x\r\nHost: a\r\n", lines)) == [
        (b":status", b"200"),
        (b"te", b"x"),
        (b"host", b"a"),
    ]


def test_a_request() -> None:
    # spec: W3
    head = (
        b"POST /a.B/C?d HTTP/1.1\r\nhOst: app.example \r\nTE: gzip\r\nContent-Type: application/grpc\r\nVia: 1.1 lb\r\n"
    )
    assert decoded(encode_request(head, b"http", b"te: trailers\r\nX-Real-IP: 192.0.2.1\r\n")) == [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", b"/a.B/C?d"),
        (b":authority", b"app.example"),
        (b"content-type", b"application/grpc"),
        (b"via", b"1.1 lb"),
        (b"te", b"trailers"),
        (b"x-real-ip", b"192.0.2.1"),
    ]
    assert decoded(encode_request(b"GET / HTTP/1.1\r\nHost:\r\n", b"https", b"")) == [
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":path", b"/"),
    ]


def test_secrets_are_never_kept_by_anybody() -> None:
    # spec: W1
    for name in (b"Authorization", b"Cookie", b"Set-Cookie", b"Proxy-Authorization"):
        [field] = hpack.Decoder().decode(encode_fields(name + b": secret\r\n"), raw=True)
        assert not field.indexable
    [field] = hpack.Decoder().decode(encode_fields(b"Server: a\r\n"), raw=True)
    assert field.indexable


def test_no_block_needs_a_table() -> None:
    # spec: W1
    decoder = hpack.Decoder()
    decoder.max_allowed_table_size = 0
    assert decoder.decode(NO_TABLE + encode_response(b"HTTP/1.1 200 OK\r\nServer: a\r\n", b""), raw=True)
    assert decoder.header_table_size == 0
    assert len(decoder.header_table.dynamic_entries) == 0


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([name for name, _ in STATIC if name[:1] != b":"])
            | st.from_regex(rb"\A[a-zA-Z-]{1,300}\Z")
            | st.just(b"x-" + b"n" * 125),
            st.sampled_from((b"", b"v", b"v" * 126, b"v" * 127, b"v" * 128, b"v" * 20000)),
            st.sampled_from((b"%s:%s\r\n", b"%s: %s\r\n", b"%s: \t%s \t\r\n")),
        ),
        max_size=20,
    )
)
def test_any_lines_are_read_as_the_same_fields(lines: list[tuple[bytes, bytes, bytes]]) -> None:
    # spec: H6 W1
    own = (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
    expected = [(name.lower(), value) for name, value, _ in lines if name.lower() not in own]
    assert decoded(encode_fields(b"".join(form % (name, value) for name, value, form in lines))) == expected
