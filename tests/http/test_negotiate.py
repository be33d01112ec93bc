from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lb.http.negotiate import choose_encoding, choose_error_form, is_compressible

OFFERED = (b"zstd", b"br", b"gzip")


# spec: C1
@pytest.mark.parametrize(
    ("accept_encoding", "expected"),
    [
        (b"", None),
        (b"gzip", b"gzip"),
        (b"GZIP", b"gzip"),
        (b"x-gzip", b"gzip"),
        (b"gzip, deflate, br, zstd", b"zstd"),
        (b"gzip, deflate, br", b"br"),
        (b"deflate", None),
        (b"gzip;q=0.5, br;q=0.4", b"gzip"),
        (b"gzip;q=0.5, br;q=0.501", b"br"),
        (b"gzip ; q=1.0 , br ; q=0.9", b"gzip"),
        (b"gzip;Q=0.2, br;Q=0.1", b"gzip"),
        (b"gzip;q=0", None),
        (b"gzip;q=0.000", None),
        (b"gzip;q=0.001", b"gzip"),
        (b"*", b"zstd"),
        (b"*;q=0", None),
        (b"zstd;q=0, *", b"br"),
        (b"gzip;q=0.5, *;q=0.1", b"gzip"),
        (b"gzip, *;q=0", b"gzip"),
        (b"identity", None),
        (b"identity, gzip", b"gzip"),
        (b"identity, gzip;q=0.9", None),
        (b"identity;q=0.5, gzip;q=0.9", b"gzip"),
        (b"identity;q=0, gzip;q=0.1", b"gzip"),
        (b"identity;q=0", None),
        (b",, gzip ,", b"gzip"),
    ],
)
def test_the_best_liked_coding_is_chosen(accept_encoding: bytes, expected: bytes | None) -> None:
    assert choose_encoding(accept_encoding, OFFERED) == expected


# spec: C1
@pytest.mark.parametrize(
    "weight", [b"", b"2", b"1.001", b"0.1234", b"-1", b"+1", b".5", b"nan", b"1e0", b"0x1", b"\xb2"]
)
def test_a_coding_with_an_unreadable_weight_is_not_used(weight: bytes) -> None:
    assert choose_encoding(b"br;q=" + weight + b", gzip;q=0.1", OFFERED) == b"gzip"


# spec: C1
def test_ties_go_to_the_order_of_the_offer() -> None:
    assert choose_encoding(b"zstd, br, gzip", (b"gzip", b"br")) == b"gzip"
    assert choose_encoding(b"zstd, br, gzip", (b"br", b"gzip")) == b"br"
    assert choose_encoding(b"zstd", ()) is None


# spec: E2
@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (b"", "text"),
        (b"*/*", "text"),
        (b"text/*", "text"),
        (b"text/plain", "text"),
        (b"text/html", "html"),
        (b"Text/HTML; charset=utf-8", "html"),
        (b"application/json", "json"),
        (b"application/*", "json"),
        (b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", "html"),
        (b"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "html"),
        (b"image/avif,image/webp,image/apng,image/*,*/*;q=0.8", "text"),
        (b"application/json, text/plain, */*", "json"),
        (b"text/plain, application/json", "text"),
        (b"application/json, */*", "json"),
        (b"*/*, application/json", "json"),
        (b"*/*, application/json;q=0.9", "text"),
        (b"text/*;q=0.5, application/*", "json"),
        (b"text/html;q=0.5, application/json;q=0.6", "json"),
        (b"text/html;q=0, */*", "text"),
        (b"text/plain;q=0, */*", "html"),
        (b"text/plain;q=0, text/html;q=0, */*", "json"),
        (b"application/json;q=0", "text"),
        (b"image/png", "text"),
        (b"text/html;level=1;q=0.4, application/json;q=0.5", "json"),
    ],
)
def test_an_error_has_the_form_that_the_client_likes_best(accept: bytes, expected: str) -> None:
    assert choose_error_form(accept) == expected


# spec: C1
@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (b"text/html", True),
        (b"Text/HTML; charset=utf-8", True),
        (b" text/html ;charset=utf-8", True),
        (b"application/json", True),
        (b"application/ld+json", False),
        (b"application/jsonp", False),
        (b"image/png", False),
        (b"text", False),
        (b"text/", False),
        (b";text/html", False),
        (b"", False),
    ],
)
def test_compressible_types(content_type: bytes, expected: bool) -> None:
    types = frozenset({b"text/html", b"application/json"})
    assert is_compressible(content_type, types) is expected
    assert not is_compressible(content_type, frozenset())


_fragments = st.lists(
    st.sampled_from([b",", b";", b"q=", b"0", b"1", b".", b"*", b"/", b" ", b"gzip", b"text", b"html", b"\xff", b'"'])
).map(b"".join)


@settings(deadline=None)
@given(_fragments | st.binary(max_size=60))
def test_no_value_is_too_strange(value: bytes) -> None:
    assert choose_encoding(value, OFFERED) in (None, *OFFERED)
    assert choose_error_form(value) in ("html", "json", "text")
    assert is_compressible(value, frozenset({b"text/html"})) in (True, False)
