"""Entity tags of compressed responses on their way out and back (C2), as tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lb.http.etags import apps_conditions, clients_tag, with_suffix
from lb.http.head import Limits, RequestHead
from lb.http.scan import scan_request

ALL = (b"zstd", b"br", b"gzip")


def _head(*lines: bytes, method: bytes = b"GET", accepted: bytes = b"gzip, br, zstd") -> RequestHead:
    first = (method + b" / HTTP/1.1", b"Host: a", b"Accept-Encoding: " + accepted)
    head = scan_request(b"".join(line + b"\r\n" for line in (*first, *lines, b"")), Limits())
    assert head is not None
    return head


def _conditions(head: RequestHead) -> list[bytes]:
    assert head.tagged
    return apps_conditions(head).split(b"\r\n")[3:-1]


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"PUT", b"DELETE"])
@pytest.mark.parametrize("name", [b"If-Match", b"if-none-match"])
@pytest.mark.parametrize(
    ("value", "apps"),
    [
        (b'"v1-lb-gzip"', b'"v1"'),
        (b'"v1-lb-br"', b'"v1"'),
        (b'"v1-lb-zstd" ', b'"v1" '),
        (b'W/"v1-lb-gzip"', b'W/"v1"'),
        (b'"a-lb-gzip","b", W/"c-lb-br" ,"d-lb-x"', b'"a","b", W/"c" ,"d-lb-x"'),
        (b'"a, b-lb-gzip"', b'"a, b"'),
        (b'"a-lb-gzip, b", "c-lb-br"', b'"a-lb-gzip, b", "c"'),
        (b'"-lb-gzip"', b'""'),
        (b'"a-lb-gzip-lb-br"', b'"a-lb-gzip"'),
        (b"v1-lb-gzip, v2", b"v1, v2"),
        (b'"a-lb-gzip" x', b'"a" x'),
        (b"*, -lb-", b"*, -lb-"),
    ],
)
def test_the_app_gets_its_own_tag(method: bytes, name: bytes, value: bytes, apps: bytes) -> None:
    # spec: C2
    assert _conditions(_head(name + b": " + value, method=method)) == [name + b": " + apps]


def test_every_line_counts() -> None:
    # spec: C2
    lines = (b'If-None-Match: "a-lb-gzip"', b"X: y-lb-gzip", b'If-None-Match: "b", "c-lb-br"', b'If-Match:"d-lb-zstd"')
    assert _conditions(_head(*lines)) == [
        b'If-None-Match: "a"',
        b"X: y-lb-gzip",
        b'If-None-Match: "b", "c"',
        b'If-Match:"d"',
    ]


def test_webdav_names_tags_in_brackets() -> None:
    # spec: C2; RFC 4918 section 10.4
    line = b'If: </a> (<urn:uuid:1-lb-gzip> ["v1-lb-gzip"]) (Not [W/"v2-lb-br"])'
    assert _conditions(_head(line, method=b"PUT")) == [b'If: </a> (<urn:uuid:1-lb-gzip> ["v1"]) (Not [W/"v2"])']


@pytest.mark.parametrize(
    "line", [b'If-None-Match: "v1"', b"If-Match: *", b'ETag: "a-lb-gzip"', b"If-Modified-Since: x-lb-gzip"]
)
def test_other_requests_are_not_looked_at(line: bytes) -> None:
    assert not _head(line).tagged


@pytest.mark.parametrize(
    ("accepted", "apps"),
    [
        (b"gzip", b'"a", "b-lb-br", "c"'),
        (b"br;q=0.1, identity;q=0.05", b'"a-lb-gzip", "b", "c"'),
        (b"identity", b'"a-lb-gzip", "b-lb-br", "c"'),
        (b"", b'"a-lb-gzip", "b-lb-br", "c"'),
        (b"*;q=0.5, gzip;q=0", b'"a-lb-gzip", "b", "c"'),
    ],
)
def test_what_a_client_cannot_read_is_not_the_same_to_it(accepted: bytes, apps: bytes) -> None:
    # spec: C2: a cache would give the compressed body to a client that cannot read it
    line = b'If-None-Match: "a-lb-gzip", "b-lb-br", "c"'
    for method in (b"GET", b"HEAD"):
        assert _conditions(_head(line, accepted=accepted, method=method)) == [b"If-None-Match: " + apps]
    assert _conditions(_head(line, accepted=accepted, method=b"PUT")) == [b'If-None-Match: "a", "b", "c"']
    line = b'If-Match: "a-lb-gzip", "b-lb-br", "c"'
    assert _conditions(_head(line, accepted=accepted)) == [b'If-Match: "a", "b", "c"']


def test_no_range_of_the_plain_body_is_added_to_a_compressed_one() -> None:
    # spec: C2; RFC 9110 section 13.1.5
    lines = (b"Range: bytes=5-", b'If-Range: "v1-lb-gzip"', b"A: b", b"range: bytes=7-")
    assert _conditions(_head(*lines)) == [b"A: b"]
    assert _head(*lines).ranged, "and the whole body stays plain"
    kept = (b"Range: bytes=5-", b'If-Range: "v1"', b'If-Match: "v1"')
    assert _conditions(_head(*kept[:2], b'If-Match: "v1-lb-gzip"')) == list(kept)


@pytest.mark.parametrize(
    ("conditions", "accepted", "etag", "clients"),
    [
        (b'"v1-lb-gzip"', b"gzip", b'"v1"', b'"v1-lb-gzip"'),
        (b'"v1-lb-gzip"', b"gzip, br", b'"v1"', b'"v1-lb-gzip"'),
        (b'W/"v1-lb-gzip"', b"gzip", b'"v1"', b'"v1-lb-gzip"'),
        (b'"v0-lb-gzip", "v1-lb-br"', b"gzip", b'"v1"', b'"v1-lb-br"'),
        (b'"v1-lb-br", "v1-lb-gzip"', b"gzip", b'"v1"', b'"v1-lb-gzip"'),
        (b'"v1-lb-gzip", "v1"', b"gzip", b'"v1"', b'"v1-lb-gzip"'),
        (b'"v1-lb-gzip", "v1"', b"identity", b'"v1"', b'"v1"'),
        (b'"v1-lb-gzip", "v2"', b"gzip", b'"v2"', b'"v2"'),
        (b'"v1-lb-gzip"', b"gzip", b'"v2"', b'"v2"'),
        (b'"v1-lb-gzip"', b"gzip", b'W/"v1"', b'W/"v1"'),
        (b"v1-lb-gzip", b"gzip", b"v1", b"v1-lb-gzip"),
    ],
)
@pytest.mark.parametrize("name", [b"If-None-Match: ", b"If-Match: "])
def test_what_is_named_again_is_named_as_the_client_knows_it(
    name: bytes, conditions: bytes, accepted: bytes, etag: bytes, clients: bytes
) -> None:
    # spec: C2; RFC 9111 section 4.3.4
    head = _head(name + conditions, accepted=accepted)
    start = b"HTTP/1.1 304 Not Modified\r\nA: b\r\n"
    assert clients_tag(start + b"ETag: " + etag + b"\r\n", head, ALL) == start + b"ETag: " + clients + b"\r\n"
    assert clients_tag(start, head, ALL) == start


_TAGS = st.binary(max_size=20).map(lambda data: bytes(byte for byte in data if byte > 0x20 and byte not in b'\x7f"'))


@given(st.lists(_TAGS, min_size=1, max_size=4), st.sampled_from(ALL), st.sampled_from([b", ", b",", b"\r\nIf-Match: "]))
def test_what_went_out_comes_back(tags: list[bytes], coding: bytes, between: bytes) -> None:
    # spec: C2: whatever an app's tag is
    out = [with_suffix(b'H\r\nETag: "' + tag + b'"\r\n', coding) for tag in tags]
    conditions = between.join(line.partition(b"ETag: ")[2].removesuffix(b"\r\n") for line in out)
    plain = between.join(b'"' + tag + b'"' for tag in tags)
    head = _head(b"If-Match: " + conditions)
    assert b"\r\n".join(_conditions(head)) == b"If-Match: " + plain
