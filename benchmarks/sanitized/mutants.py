"""Requests and responses that are nearly valid. Pure: the same random state makes the same ones."""

from __future__ import annotations

import gzip
import random

from tests.e2e.attack_table import ACCEPTED
from tests.e2e.attack_table import REFUSED as REFUSED_REQUESTS
from tests.e2e.harness.client import HOST, chunked, get, message, post
from tests.e2e.test_attacks_responses import REFUSED as REFUSED_RESPONSES

_UPGRADE = ("Connection: Upgrade", "Upgrade: custom/1")
_REQUESTS = (
    *(one.data for one in ACCEPTED),
    *(one.data for one in REFUSED_REQUESTS),
    get("/"),
    get("/", "Accept-Encoding: gzip, br, zstd"),
    get("/", *_UPGRADE) + b"behind it",
    get("/", *(f"X-{number}: {number}" for number in range(300))),
    get("/", "Cookie: " + "x" * 8000),
    post("/", b"x" * 100_000),
    post("/", b"x" * 10, "Expect: 100-continue"),
    message("POST /", "Transfer-Encoding: chunked", body=chunked(b"x" * 5000, b"y", trailers=("X: y",))),
    b"OPTIONS * HTTP/1.1\r\nHost: " + HOST.encode() + b"\r\n\r\n",
    get("/") * 20,
)
_TEXT = b"a page of text that is worth to be compressed, for it says the same again and again. " * 300
_HEAD = b"HTTP/1.1 200 OK\r\n"
_RESPONSES = (
    *REFUSED_RESPONSES.values(),
    _HEAD + b"Content-Length: 2\r\n\r\nok",
    _HEAD + b"Content-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(_TEXT) + _TEXT,
    _HEAD + b"Content-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(_TEXT, b"x", trailers=("X: y",)),
    _HEAD + b"Content-Encoding: gzip\r\nContent-Length: 100\r\n\r\n" + gzip.compress(_TEXT)[:100],
    _HEAD + b"Content-Type: text/plain\r\nConnection: close\r\n\r\n" + _TEXT,
    b"HTTP/1.0 200 OK\r\n\r\nto the end",
    b"HTTP/1.1 100 Continue\r\n\r\n" * 30 + _HEAD + b"Content-Length: 0\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: custom/1\r\n\r\nbehind it",
    b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n',
    b"HTTP/1.1 204 No Content\r\n\r\n",
    _HEAD + b"Content-Length: 2\r\n\r\nok" + _HEAD + b"Content-Length: 6\r\n\r\nunaskd",
    _HEAD + b"X: " + b"y" * 70_000,
)
_PIECES = (
    b"\r\n", b"\n", b"\r", b" ", b"\t", b"\0", b":", b",", b"0", b"\r\n\r\n", b"\xff", b"chunked",
    b"18446744073709551616",
    b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n", b"Connection: close\r\n", b"0\r\n\r\n", b"HTTP/1.0",
    b"Content-Encoding: gzip\r\n", b"Content-Type: text/html\r\n", b"Trailer: X\r\n", b"Connection: X\r\n",
)  # fmt: skip


def request(chance: random.Random) -> bytes:
    return _mutated(chance, _REQUESTS)


def response(chance: random.Random) -> bytes:
    return _mutated(chance, _RESPONSES)


def pieces(chance: random.Random, data: bytes) -> list[bytes]:
    """The same bytes, cut anywhere: whole, in a few pieces, or one by one."""
    way = chance.randrange(8)
    if way == 0 and len(data) < 500:
        return [data[at : at + 1] for at in range(len(data))]
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(way // 2))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def _mutated(chance: random.Random, seeds: tuple[bytes, ...]) -> bytes:
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0:
                data[at:at] = chance.choice(_PIECES)
            case 1:
                del data[at : at + chance.randrange(1, 9)]
            case 2:
                data[at : at + 1] = bytes((chance.randrange(256),))
            case 3:
                del data[at:]
            case _:
                other = chance.choice(seeds)
                data[at:] = other[chance.randrange(len(other)) :]
    return bytes(data)
