"""What single fields say of their message, one reader at a time (uncompiled; see `test_twins`)."""

from __future__ import annotations

import pytest

from lb.errors import ProxyError
from lb.http.fields import OF_REQUEST, OF_RESPONSE, FieldNotes
from lb.http.head import RequestHead, ResponseHead


def request(*fields: tuple[bytes, bytes]) -> tuple[FieldNotes[RequestHead], list[bool]]:
    """What these fields say, and which of them go on."""
    seen, kept = FieldNotes(RequestHead()), []
    for number, (name, value) in enumerate(fields):
        reader = OF_REQUEST[name]
        kept.append(reader is None or reader(seen, value, 100 * (number + 1)))
    return seen, kept


def response(*fields: tuple[bytes, bytes]) -> tuple[FieldNotes[ResponseHead], list[bool]]:
    seen, kept = FieldNotes(ResponseHead()), []
    for number, (name, value) in enumerate(fields):
        reader = OF_RESPONSE[name]
        kept.append(reader is None or reader(seen, value, 100 * (number + 1)))
    return seen, kept


# spec: H1, H3
@pytest.mark.parametrize(
    ("name", "goes_on"),
    [
        (b"X-Custom", True),
        (b"Accept", True),
        (b"User-Agent", True),
        (b"X-Forwarded-For", False),
        (b"x-forwarded-anything", False),
        (b"Forwarded", False),
        (b"X-Real-IP", False),
        (b"X_Forwarded_For", False),  # which CGI takes for X-Forwarded-For
        (b"Client-Cert", False),
        (b"Proxy", False),
        (b"TE", False),
        (b"Keep-Alive", False),
    ],
)
def test_what_goes_on_of_a_request(name: bytes, goes_on: bool) -> None:
    _, kept = request((name, b"value"))
    assert kept == [goes_on]


# spec: F5
@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        (((b"Content-Length", b"1"), (b"content-length", b"1")), "given twice"),
        (((b"Content-Length", b"+1"),), "not a number"),
        (((b"Content-Length", b""),), "not a number"),
        (((b"Transfer-Encoding", b"gzip, chunked"),), "not chunked"),
        (((b"Transfer-Encoding", b"chunked"), (b"Transfer-Encoding", b"chunked")), "not chunked"),
        (((b"Host", b"a b"),), "not a host and port"),
        (((b"Expect", b"200-ok"),), ""),
    ],
)
def test_what_cannot_be_meant(fields: tuple[tuple[bytes, bytes], ...], detail: str) -> None:
    with pytest.raises(ProxyError) as caught:
        request(*fields)
    assert detail in caught.value.detail


# spec: F5
@pytest.mark.parametrize(
    ("value", "length", "goes_on"), [(b"7", 7, True), (b"007", 7, False), (b"1" * 30, 1 << 62, True), (b"0", 0, True)]
)
def test_a_length(value: bytes, length: int, goes_on: bool) -> None:
    seen, kept = request((b"Content-Length", value))
    assert (seen.head.body_length, kept) == (length, [goes_on])


# spec: H4
def test_what_connection_names() -> None:
    seen, kept = request((b"Connection", b"close, X-Secret"), (b"CONNECTION", b"upgrade"), (b"Upgrade", b"chat"))
    assert kept == [False, False, False]
    assert (seen.close, seen.upgrade, seen.nominated) == (True, True, [b"close, X-Secret"])
    assert seen.upgrades() == b"chat"
    assert not seen.keeps_alive()


def test_a_protocol_that_connection_does_not_name_is_none() -> None:
    seen, _ = request((b"Upgrade", b"chat"))
    assert seen.upgrades() is None
    assert seen.keeps_alive()


# spec: H5
@pytest.mark.parametrize(
    ("via", "passes"), [(b"1.1 lb", 1), (b"1.0 other, 1.1 LB (x), HTTP/1.1 lb", 2), (b"1.1 lbx", 0), (b"lb", 0)]
)
def test_passes_are_counted(via: bytes, passes: int) -> None:
    seen, kept = request((b"Via", via))
    assert (seen.head.passes, kept) == (passes, [True])


# spec: H5
@pytest.mark.parametrize(
    ("value", "taken"), [(b"abc-123_./:=+", True), (b"a b", False), (b"", False), (b"x" * 129, False)]
)
def test_an_identifier_is_taken_only_if_it_is_fit_for_a_log(value: bytes, taken: bool) -> None:
    seen, kept = request((b"X-Request-Id", value), (b"X-Request-Id", b"second"))
    assert seen.head.request_id == (value if taken else b"second")
    assert kept == [taken, not taken]


# spec: F2, F4
def test_what_a_response_says() -> None:
    seen, kept = response(
        (b"Content-Type", b"text/html"),
        (b"Keep-Alive", b"max=5, timeout=20"),
        (b"Date", b"now"),
        (b"Cache-Control", b"private, No-Transform"),
        (b"Content-Encoding", b"identity"),
    )
    head = seen.head
    assert kept == [True, False, True, True, True]
    assert (head.type_at, head.type_size, head.keep_alive_for) == (100, 9, 20)
    assert (head.dated, head.no_transform, head.encoded) == (True, True, False)


# spec: F5
@pytest.mark.parametrize("value", [b"007", b"1" * 30])
def test_a_length_of_an_instance_that_would_have_to_be_rewritten(value: bytes) -> None:
    with pytest.raises(ProxyError) as caught:
        response((b"Content-Length", value))
    assert caught.value.cause.code == "http_protocol_error"


def test_frequent_spellings_are_known_again_and_floods_of_others_are_not_kept() -> None:
    for number in range(2000):
        assert OF_REQUEST[b"X-Flood-%d" % number] is None
    assert len(OF_REQUEST) <= 1000
    assert OF_REQUEST[b"HOST"] is not None
