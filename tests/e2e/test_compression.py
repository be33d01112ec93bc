"""When a response is compressed, what changes with it, and that a stream stays a stream: clauses C1 to C3."""

from __future__ import annotations

import gzip
import importlib
import json
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import brotli
import pytest

from tests.e2e.harness.client import chunk, chunked, get, message
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.scripts import ok
from tests.e2e.harness.waiting import wait_for
from tests.e2e.harness.wire import Request, Response, Truncated, read_chunk

TEXT = json.dumps({"words": ["lorem ipsum dolor"] * 200}).encode()
LARGE = bytes(range(32, 127)) * 4000
ALL = "gzip, br, zstd"


def _zstd() -> Any:
    try:
        return importlib.import_module("compression.zstd")
    except ImportError:
        return importlib.import_module("backports.zstd")


DECODERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"gzip": gzip.decompress,
    b"br": brotli.decompress,
    b"zstd": lambda data: bytes(_zstd().decompress(data)),
}


def decoded(response: Response) -> bytes:
    codings = response.all("content-encoding")
    if not codings:
        return response.body
    assert len(codings) == 1
    return DECODERS[codings[0]](response.body)


def _answers(request: Request) -> bytes:
    """What the path asks for: /text, /large, /tiny, /binary, /encoded and so on."""
    path = request.target.decode().partition("?")[0]
    text = "Content-Type: text/html; charset=utf-8"
    table = {
        "/text": ok(TEXT, text),
        "/json": ok(TEXT, "Content-Type: application/json"),
        "/svg": ok(TEXT, "Content-Type: image/svg+xml"),
        "/large": ok(LARGE, text),
        "/tiny": ok(b"tiny", text),
        "/255": ok(b"x" * 255, text),
        "/256": ok(b"x" * 256, text),
        "/png": ok(TEXT, "Content-Type: image/png"),
        "/untyped": ok(TEXT),
        "/encoded": ok(gzip.compress(TEXT), text, "Content-Encoding: gzip"),
        "/identity": ok(TEXT, text, "Content-Encoding: identity"),
        "/no-transform": ok(TEXT, text, "Cache-Control: public, No-Transform"),
        "/partial": ok(TEXT, text, f"Content-Range: bytes 0-{len(TEXT) - 1}/{len(TEXT)}", status="206 Partial Content"),
        "/strong": ok(TEXT, text, 'ETag: "abc"'),
        "/weak": ok(TEXT, text, 'ETag: W/"abc"'),
        "/vary": ok(TEXT, text, "Vary: Cookie"),
        "/vary-too": ok(TEXT, text, "Vary: Cookie, accept-encoding"),
        "/vary-all": ok(TEXT, text, "Vary: *"),
        "/ranges": ok(TEXT, text, "Accept-Ranges: bytes"),
        "/digest": ok(TEXT, text, "Content-MD5: abc"),
        "/digests": (
            f"HTTP/1.1 200 OK\r\n{text}\r\nRepr-Digest: sha-256=:abc:\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
            + chunked(TEXT, trailers=["Content-Digest: sha-256=:abc:", "X-Sum: 1", "x-amz-checksum-crc32: abc"])
        ),
        "/error": ok(TEXT, text, status="500 Internal Server Error"),
        "/events": ok(b"data: x\n\n" * 100, "Content-Type: text/event-stream"),
        "/304": b'HTTP/1.1 304 Not Modified\r\nETag: "abc"\r\nVary: Cookie\r\n\r\n',
        "/304-plain": b'HTTP/1.1 304 Not Modified\r\nETag: "abc"\r\n\r\n',
        "/304-text": f"HTTP/1.1 304 Not Modified\r\n{text}\r\nContent-Length: 5000\r\n\r\n".encode(),
        "/304-png": b"HTTP/1.1 304 Not Modified\r\nContent-Type: image/png\r\n\r\n",
        "/304-tiny": f"HTTP/1.1 304 Not Modified\r\n{text}\r\nContent-Length: 4\r\n\r\n".encode(),
        "/304-no-transform": b"HTTP/1.1 304 Not Modified\r\nCache-Control: no-transform\r\n\r\n",
        "/204": b"HTTP/1.1 204 No Content\r\n\r\n",
        "/chunked": (
            f"HTTP/1.1 200 OK\r\n{text}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
            + chunked(*[TEXT] * 3, trailers=["X-Sum: 1"])
        ),
    }
    return table[path]


def _script(peer: Peer) -> None:
    while True:
        request = peer.request()
        if request.target == b"/close":
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" + TEXT)
            return
        if request.target == b"/cut":
            head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(LARGE)}\r\n\r\n"
            peer.send(head.encode() + LARGE[:-1])
            return
        data = _answers(request)
        peer.send(data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if request.method == b"HEAD" else data)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontDoor]:
    """Compression on, with one domain that has it off."""
    with ExitStack() as stack:
        instance = stack.enter_context(Instance(_script))
        config = configure(
            instance.address,
            domains=("shop.example.com", {"name": "plain.example.com", "compression": False}),
            compression={"algorithms": ["zstd", "br", "gzip"], "min_size": 256},
        )
        yield stack.enter_context(FrontDoor(config, tmp_path_factory.mktemp("compression")))


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", b"gzip"),
        ("br", b"br"),
        ("zstd", b"zstd"),
        ("x-gzip", b"gzip"),
        ("GZIP", b"gzip"),
        (ALL, b"zstd"),
        ("gzip;q=1.0, br;q=0.9, zstd;q=0.1", b"gzip"),
        ("gzip;q=0.5, br;q=0.9", b"br"),
        ("gzip;q=0", None),
        ("gzip;q=0, *", b"zstd"),
        ("*", b"zstd"),
        ("*;q=0", None),
        ("zstd;q=0, *;q=0.5", b"br"),
        ("identity", None),
        ("identity;q=1, gzip;q=0.5", None),
        ("gzip;q=0.5, identity;q=0.1", b"gzip"),
        ("deflate", None),
        ("", None),
        ("gzip, deflate, br, zstd", b"zstd"),
    ],
)
def test_the_coding_is_chosen_by_what_the_client_accepts(door: FrontDoor, accepted: str, coding: bytes | None) -> None:
    # spec: C1; RFC 9110 section 12.5.3
    response = door.ask(get("/text", f"Accept-Encoding: {accepted}"))
    assert response.all("content-encoding") == ([] if coding is None else [coding])
    assert decoded(response) == TEXT


def test_a_client_that_says_nothing_gets_it_plain(door: FrontDoor) -> None:
    # spec: C1
    assert door.ask(get("/text")).body == TEXT


@pytest.mark.parametrize("path", ["/text", "/json", "/svg", "/large", "/256", "/chunked", "/close", "/error"])
@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_compressible_responses_are_compressed(door: FrontDoor, path: str, coding: str) -> None:
    # spec: C1, C2
    plain = door.ask(get(path))
    response = door.ask(get(path, f"Accept-Encoding: {coding}"))
    assert response.one("content-encoding") == coding.encode()
    assert decoded(response) == plain.body
    assert len(response.body) < len(plain.body)
    assert b"accept-encoding" in b",".join(response.all("vary")).lower()
    if response.has("content-length"):
        assert int(response.one("content-length")) == len(response.body)


@pytest.mark.parametrize("path", ["/tiny", "/255", "/png", "/untyped", "/encoded", "/no-transform", "/partial"])
def test_others_stay_as_they_are(door: FrontDoor, path: str) -> None:
    # spec: C1, C2
    plain = door.ask(get(path))
    response = door.ask(get(path, f"Accept-Encoding: {ALL}"))
    assert response.body == plain.body
    assert response.all("content-encoding") == plain.all("content-encoding")
    assert response.one("content-length") == str(len(plain.body)).encode()


def test_a_request_for_a_range_stays_as_it_is(door: FrontDoor) -> None:
    # spec: C2
    response = door.ask(get("/partial", "Range: bytes=0-9", f"Accept-Encoding: {ALL}"))
    assert (response.status, response.has("content-encoding")) == (206, False)


@pytest.mark.parametrize("path", ["/204", "/304"])
def test_responses_without_body_stay_as_they_are(door: FrontDoor, path: str) -> None:
    # spec: C2
    response = door.ask(get(path, f"Accept-Encoding: {ALL}"))
    assert not response.has("content-encoding")
    assert not response.has("transfer-encoding")
    assert response.all("etag") in ([], [b'"abc"'], [b'W/"abc"'])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("accepted", [ALL, "identity"])
@pytest.mark.parametrize(
    ("path", "vary"),
    [
        ("/304-plain", b"Accept-Encoding"),
        ("/304-text", b"Accept-Encoding"),
        ("/304", b"Cookie, Accept-Encoding"),
        ("/304-png", b""),
        ("/304-tiny", b""),
        ("/304-no-transform", b""),
        ("/204", b""),
    ],
)
def test_a_304_varies_as_the_200_that_it_stands_for(
    door: FrontDoor, path: str, vary: bytes, accepted: str, method: str
) -> None:
    # spec: C2; RFC 9110 section 15.4.5: else a cache takes what it has for the form that every client is to get
    response = door.ask(message(f"{method} {path}", f"Accept-Encoding: {accepted}", 'If-None-Match: "abc"'))
    assert b", ".join(response.all("vary")) == vary
    plain = door.ask(message(f"{method} {path}", 'If-None-Match: "abc"', host="plain.example.com"))
    assert b"Accept-Encoding" not in plain.all("vary"), "it is compressed for nobody there"


@pytest.mark.parametrize("accepted", [ALL, "br", "identity", "gzip;q=0"])
@pytest.mark.parametrize(
    "path", ["/text", "/strong", "/weak", "/digest", "/chunked", "/tiny", "/png", "/encoded", "/error"]
)
def test_head_says_what_get_would_but_for_a_length_that_compressing_would_tell(
    door: FrontDoor, path: str, accepted: str
) -> None:
    # spec: C2; RFC 9110 sections 8.6 and 9.3.2
    with door.connect() as client:
        head, got = (
            client.ask(message(f"{method} {path}", f"Accept-Encoding: {accepted}")) for method in ("HEAD", "GET")
        )
        again = client.ask(get("/tiny"))
    assert (head.status, head.body, again.body) == (got.status, b"", b"tiny")
    for name in ("content-encoding", "content-type", "vary", "etag", "accept-ranges", "content-md5"):
        assert head.all(name) == got.all(name), name
    if head.has("content-encoding") and path != "/encoded":
        assert not head.has("content-length")
    else:
        assert head.all("content-length") == got.all("content-length")


@pytest.mark.parametrize("accepted", [ALL, "identity"])
@pytest.mark.parametrize(
    "path",
    ["/text", "/chunked", "/error", "/vary", "/vary-all", "/tiny", "/png", "/untyped", "/encoded", "/partial"],
)
def test_head_varies_as_get_does(door: FrontDoor, path: str, accepted: str) -> None:
    # spec: C2; RFC 9110 sections 9.3.2 and 12.5.5: caches may answer for either from what they have of the other
    head, got = (door.ask(message(f"{method} {path}", f"Accept-Encoding: {accepted}")) for method in ("HEAD", "GET"))
    assert head.all("vary") == got.all("vary")
    assert head.body == b""


def test_each_coding_has_a_tag_of_its_own(door: FrontDoor) -> None:
    # spec: C2
    tags = {
        door.ask(get("/strong", f"Accept-Encoding: {one}")).one("etag") for one in ("gzip", "br", "zstd", "identity")
    }
    assert tags == {b'"abc-lb-gzip"', b'"abc-lb-br"', b'"abc-lb-zstd"', b'"abc"'}
    assert door.ask(get("/weak", "Accept-Encoding: gzip")).one("etag") == b'W/"abc"'


@pytest.mark.parametrize("accepted", [("gzip", "deflate"), ("identity;q=0.5", "gzip"), ("br;q=0, gzip", "zstd;q=0")])
def test_a_list_on_several_lines_is_one(door: FrontDoor, accepted: tuple[str, ...]) -> None:
    # spec: C2; RFC 9110 section 5.3
    response = door.ask(get("/text", *[f"Accept-Encoding: {line}" for line in accepted]))
    assert response.one("content-encoding") == b"gzip"
    assert decoded(response) == TEXT


def test_the_form_of_an_error_by_a_list_on_several_lines(door: FrontDoor) -> None:
    # spec: E2
    response = door.ask(get("/", "Accept: application/json", "Accept: image/png", host="nobody.example"))
    assert response.one("content-type") == b"application/json"


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_digests_of_the_plain_bytes_do_not_survive(door: FrontDoor, coding: str) -> None:
    # spec: C2; RFC 9530 section 2
    plain = door.ask(get("/digests"))
    assert plain.one("repr-digest") == b"sha-256=:abc:"
    assert plain.trailers == (
        (b"Content-Digest", b"sha-256=:abc:"),
        (b"X-Sum", b"1"),
        (b"x-amz-checksum-crc32", b"abc"),
    )
    response = door.ask(get("/digests", f"Accept-Encoding: {coding}"))
    assert decoded(response) == plain.body
    assert not response.has("repr-digest")
    assert response.trailers == ((b"X-Sum", b"1"),)
    assert not door.ask(get("/digest", f"Accept-Encoding: {coding}")).has("content-md5")


@pytest.mark.parametrize(
    ("path", "vary"),
    [("/text", "accept-encoding"), ("/vary", "cookie, accept-encoding"), ("/vary-too", "cookie, accept-encoding")],
)
def test_vary_names_accept_encoding_once(door: FrontDoor, path: str, vary: str) -> None:
    # spec: C2
    response = door.ask(get(path, "Accept-Encoding: gzip"))
    values = ", ".join(value.decode().lower() for value in response.all("vary"))
    assert values == vary


def test_vary_is_there_for_clients_that_do_not_accept_it(door: FrontDoor) -> None:
    # spec: C2: a cache must not give the plain body's variant to all, or the other way round
    response = door.ask(get("/text", "Accept-Encoding: identity"))
    assert b"accept-encoding" in b",".join(response.all("vary")).lower()


def test_ranges_are_not_offered_for_a_compressed_body(door: FrontDoor) -> None:
    # spec: C2: the bytes of a range would be counted in another body
    assert b"bytes" not in door.ask(get("/ranges", "Accept-Encoding: gzip")).all("accept-ranges")


def test_it_can_be_off_for_a_domain(door: FrontDoor) -> None:
    # spec: C1; attack 29
    response = door.ask(get("/text", f"Accept-Encoding: {ALL}", host="plain.example.com"))
    assert response.body == TEXT
    assert not response.has("content-encoding")
    assert not response.has("vary")


def test_a_client_of_http_1_0_can_read_it(door: FrontDoor) -> None:
    # spec: C1, F4
    response = door.ask(message("GET /text HTTP/1.0", "Accept-Encoding: gzip"))
    assert response.framing in {"close", "length", "none"}
    assert decoded(response) == TEXT


def test_responses_of_one_connection_do_not_mix(door: FrontDoor) -> None:
    # spec: C1
    with door.connect() as client:
        for coding in ("gzip", "identity", "zstd", "br", "gzip"):
            for path, body in (("/text", TEXT), ("/large", LARGE), ("/tiny", b"tiny")):
                assert decoded(client.ask(get(path, f"Accept-Encoding: {coding}"))) == body


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_compressed_body_cut_short_is_not_passed_off_as_complete(door: FrontDoor, coding: str) -> None:
    # spec: C3, F5
    with pytest.raises(Truncated):
        door.ask(get("/cut", f"Accept-Encoding: {coding}"))


_HEAD = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(TEXT)}\r\n\r\n".encode()


def test_a_short_body_in_pieces_is_compressed_as_a_whole(tmp_path: Path) -> None:
    # spec: C2

    def script(peer: Peer) -> None:
        while True:
            peer.request()
            peer.send(_HEAD + TEXT[:1000])
            peer.send(TEXT[1000:2000])
            peer.send(TEXT[2000:])

    with (
        Instance(script) as instance,
        FrontDoor(configure(instance.address), tmp_path) as door,
        door.connect() as client,
    ):

        def came_as_a_whole() -> bool:  # on a busy machine a piece may be late
            response = client.ask(get("/", "Accept-Encoding: gzip"))
            assert decoded(response) == TEXT
            return response.framing == "length"

        for _ in range(2):
            wait_for(came_as_a_whole, "all pieces to come in time")


def test_a_short_body_cut_short_is_an_error_and_no_broken_connection(tmp_path: Path) -> None:
    # spec: C3, F5, E2
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(_HEAD + TEXT[:1000])

    with (
        Instance(script) as instance,
        FrontDoor(configure(instance.address), tmp_path) as door,
        door.connect() as client,
    ):
        for _ in range(2):
            response = client.ask(get("/", "Accept-Encoding: gzip"))
            assert (response.status, response.has("content-encoding")) == (502, False)
            assert door.wait_log(cause="http_response_incomplete")["bytes_sent"] == len(response.body)


def _incremental(coding: str) -> Callable[[bytes], bytes]:
    if coding == "gzip":
        return zlib.decompressobj(31).decompress
    if coding == "br":
        process: Callable[[bytes], bytes] = brotli.Decompressor().process
        # What is too much for one call comes with the next.
        return lambda data: b"".join((process(data), *iter(lambda: process(b""), b"")))
    decompress: Callable[[bytes], bytes] = _zstd().ZstdDecompressor().decompress
    return decompress


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
@pytest.mark.parametrize("kind", ["text/event-stream", "text/plain"])
def test_each_flushed_piece_reaches_the_client_at_once(tmp_path: Path, coding: str, kind: str) -> None:
    # spec: C3
    steps = [threading.Event() for _ in range(5)]

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for number, step in enumerate(steps):
            step.wait(20)
            peer.send(chunk(b"data: %d\n\n" % number))
        peer.send(b"0\r\n\r\n")

    with (
        Instance(script) as instance,
        FrontDoor(configure(instance.address, compression={"algorithms": [coding]}), tmp_path) as door,
        door.connect() as client,
    ):
        client.send(get("/", f"Accept-Encoding: {coding}"))
        head = client.head()
        decode = _incremental(coding) if head.has("content-encoding") else bytes
        for number, step in enumerate(steps):
            step.set()
            wanted, got = b"data: %d\n\n" % number, b""
            while got != wanted:
                assert wanted.startswith(got)
                got += decode(read_chunk(client.stream))
        while read_chunk(client.stream):
            pass


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
@pytest.mark.parametrize("size", [300, 5_000, 100_000, 320_000])
def test_each_piece_of_a_known_length_reaches_the_client_soon(tmp_path: Path, coding: str, size: int) -> None:
    # spec: C3: whatever its framing
    body = (b"<p>progress</p>\n" * (size // 16 + 1))[:size]
    cuts = [0, size // 3, 2 * size // 3, size]
    steps = [threading.Event() for _ in cuts]

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {size}\r\n\r\n".encode())
        for start, end, step in zip(cuts, cuts[1:], steps[1:], strict=False):
            step.wait(20)
            peer.send(body[start:end])

    with (
        Instance(script) as instance,
        FrontDoor(configure(instance.address, compression={"algorithms": [coding]}), tmp_path) as door,
        door.connect() as client,
    ):
        client.send(get("/", f"Accept-Encoding: {coding}"))
        head = client.head()  # of itself a piece
        assert (head.one("content-encoding"), head.framing) == (coding.encode(), "chunked")
        decode = _incremental(coding)
        got = b""
        for end, step in zip(cuts, steps, strict=True):
            step.set()
            while len(got) < end:
                got += decode(read_chunk(client.stream))
        assert got == body
        while read_chunk(client.stream):
            pass
        assert client.stream.exactly(2) == b"\r\n"


def test_it_can_be_off_for_all(tmp_path: Path) -> None:
    # spec: C1
    with Instance(_script) as instance, FrontDoor(configure(instance.address, compression=False), tmp_path) as door:
        assert not door.ask(get("/text", f"Accept-Encoding: {ALL}")).has("content-encoding")
