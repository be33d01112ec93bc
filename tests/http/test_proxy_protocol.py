"""Headers of the PROXY protocol: what is read, what is refused, and that what is written is read again."""

from __future__ import annotations

import struct

import pytest

from lb.http.proxy_protocol import (
    LONGEST,
    Endpoints,
    ProxyHeader,
    ProxyHeaderError,
    proxy_header,
    read_proxy_header,
)

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
FOUR = Endpoints(b"192.0.2.1", 4000, b"203.0.113.9", 443)
SIX = Endpoints(b"2001:db8::1", 4000, b"2001:db8::9", 443)
FOUR_BLOCK = bytes((192, 0, 2, 1, 203, 0, 113, 9)) + struct.pack(">HH", 4000, 443)


def binary(command: int, kind: int, block: bytes) -> bytes:
    return SIGNATURE + bytes((command, kind)) + struct.pack(">H", len(block)) + block


GOOD = [
    (b"PROXY TCP4 192.0.2.1 203.0.113.9 4000 443\r\n", FOUR),
    (b"PROXY TCP6 2001:db8::1 2001:0db8::0009 4000 443\r\n", SIX),
    (b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:203.0.113.9 4000 443\r\n", FOUR),
    (b"PROXY TCP6 " + b"ffff:" * 7 + b"ffff " + b"ffff:" * 7 + b"ffff 65535 65535\r\n", None),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN 192.0.2.1 whatever else\r\n", None),
    (binary(0x21, 0x11, FOUR_BLOCK), FOUR),
    (binary(0x21, 0x11, FOUR_BLOCK + b"\x04\x00\x03abc" + b"\x20\x00\x00"), FOUR),
    (
        binary(
            0x21, 0x21, bytes.fromhex("20010db8" + "0" * 23 + "1" + "20010db8" + "0" * 23 + "9") + b"\x0f\xa0\x01\xbb"
        ),
        SIX,
    ),
    (binary(0x20, 0x00, b""), None),
    (binary(0x20, 0x11, b"\xff"), None),
    (binary(0x21, 0x00, b""), None),
    (binary(0x21, 0x31, bytes(216)), None),
]


@pytest.mark.parametrize(("text", "endpoints"), GOOD)
@pytest.mark.parametrize("behind", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\r\n", b"\x16\x03\x01"])
def test_a_header_is_read_and_nothing_behind_it(text: bytes, endpoints: Endpoints | None, behind: bytes) -> None:
    header = read_proxy_header(text + behind)
    assert header is not None
    assert header.size == len(text)
    if endpoints is not None or b"ffff:ffff" not in text:
        assert header.endpoints == endpoints


@pytest.mark.parametrize(("text", "_endpoints"), GOOD)
def test_less_than_all_of_it_is_waited_for(text: bytes, _endpoints: Endpoints | None) -> None:
    assert [read_proxy_header(text[:size]) for size in range(len(text))] == [None] * len(text)


@pytest.mark.parametrize(
    "text",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01\x02\x00",
        b"PRI * HTTP/2.0\r\n",
        b"proxy TCP4 192.0.2.1 203.0.113.9 4000 443\r\n",
        b"PROXY\r\n",
        b"PROXY TCP4\r\n",
        b"PROXY TCP4 192.0.2.1 203.0.113.9 4000 443\n",
        b"PROXY TCP4 192.0.2.1 203.0.113.9 4000 443" + b" " * 66 + b"\r\n",
        b"PROXY TCP4 192.0.2.1 203.0.113.9 4000 443 \r\n",
        b"PROXY TCP4  192.0.2.1 203.0.113.9 4000 443\r\n",
        b"PROXY TCP4 192.0.2.1 203.0.113.9 4000 65536\r\n",
        b"PROXY TCP4 192.0.2.1 203.0.113.9 -1 443\r\n",
        b"PROXY TCP4 192.0.2.256 203.0.113.9 4000 443\r\n",
        b"PROXY TCP4 2001:db8::1 2001:db8::9 4000 443\r\n",
        b"PROXY TCP6 192.0.2.1 203.0.113.9 4000 443\r\n",
        b"PROXY UDP4 192.0.2.1 203.0.113.9 4000 443\r\n",
        b"PROXY UNKNOWNS\r\n",
        b"PROXY UNKNOWN \n\r\n",
        b"PROXY UNKNOWN " + b"a" * 100,
        binary(0x11, 0x11, FOUR_BLOCK),
        binary(0x22, 0x11, FOUR_BLOCK),
        binary(0x21, 0x12, FOUR_BLOCK),
        binary(0x21, 0x11, FOUR_BLOCK[:-1]),
        binary(0x21, 0x21, bytes(35)),
        binary(0x21, 0x31, bytes(215)),
        binary(0x21, 0x41, bytes(216)),
        binary(0x21, 0x11, FOUR_BLOCK + bytes(LONGEST)),
        SIGNATURE[:-1] + b"\r" + binary(0x21, 0x11, FOUR_BLOCK)[12:],
    ],
)
def test_anything_else_is_refused(text: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        read_proxy_header(text)


def test_a_header_that_is_too_long_is_refused_before_it_has_come() -> None:
    with pytest.raises(ProxyHeaderError):
        read_proxy_header(SIGNATURE + b"\x21\x11\xff\xff")


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("endpoints", [FOUR, SIX, None])
def test_what_is_written_is_read_again(version: int, endpoints: Endpoints | None) -> None:
    text = proxy_header(version, endpoints)
    assert read_proxy_header(text) == ProxyHeader(len(text), endpoints)


@pytest.mark.parametrize("version", [1, 2])
def test_ends_of_two_families_are_written_in_one(version: int) -> None:
    for mixed in (Endpoints(b"192.0.2.1", 1, b"2001:db8::9", 2), Endpoints(b"2001:db8::1", 1, b"203.0.113.9", 2)):
        header = read_proxy_header(proxy_header(version, mixed))
        assert header is not None
        assert header.endpoints == mixed


def test_what_is_written_is_what_the_specification_shows() -> None:
    assert proxy_header(1, FOUR) == b"PROXY TCP4 192.0.2.1 203.0.113.9 4000 443\r\n"
    assert proxy_header(1, None) == b"PROXY UNKNOWN\r\n"
    assert proxy_header(2, FOUR) == binary(0x21, 0x11, FOUR_BLOCK)
    assert proxy_header(2, None) == binary(0x20, 0x00, b"")
