"""Compression and validators (C2): locks and revalidation work through the front door as they do without it."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterator
from contextlib import ExitStack

import aiohttp
import pytest

from tests.e2e.conftest import ShortPaths
from tests.e2e.harness.app import GUNICORN, serving
from tests.e2e.harness.client import get, message
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.scripts import ok

HOST = "django.example.com"
CODINGS = ("gzip", "br", "zstd", "identity")


@pytest.fixture(scope="module")
def django(tmp_path_factory: pytest.TempPathFactory, short_paths: ShortPaths) -> Iterator[FrontDoor]:
    """Django's `@condition` under gunicorn."""
    with ExitStack() as stack:
        address = stack.enter_context(serving(GUNICORN, "django_app", short_paths()))
        config = configure(address, domains=(HOST,), workers=1)
        yield stack.enter_context(FrontDoor(config, tmp_path_factory.mktemp("validators")))


def _put(*lines: str, body: bytes = b"lorem ipsum " * 100) -> bytes:
    return message("PUT /document", f"Content-Length: {len(body)}", *lines, body=body, host=HOST)


def _read(door: FrontDoor, *lines: str) -> tuple[int, bytes]:
    response = door.ask(get("/document", *lines, host=HOST))
    return response.status, response.one("etag")


@pytest.mark.parametrize("coding", CODINGS)
def test_an_optimistic_lock_holds(django: FrontDoor, coding: str) -> None:
    # spec: C2
    accepted = f"Accept-Encoding: {coding}"
    status, tag = _read(django, accepted)
    assert status == 200
    assert tag.startswith(b'"v')
    seen = f"If-Match: {tag.decode()}"
    first, second = (django.ask(_put(accepted, seen)) for _ in range(2))
    assert first.status == 204, "nobody has changed it since it was read"
    assert second.status == 412, "somebody has"
    assert django.ask(_put(f"If-Match: {first.one('etag').decode()}")).status == 204, "the answer's tag is one, too"


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_has_not_changed_is_not_sent_again(django: FrontDoor, method: str, coding: str) -> None:
    # spec: C2; RFC 9111 section 4.3.4: the tag of the 304 is that of what the client has
    accepted = f"Accept-Encoding: {coding}"
    _, tag = _read(django, accepted)
    for held in (tag, b'"x", ' + tag, b'W/"y-lb-br",' + tag):
        line = f"If-None-Match: {held.decode()}"
        response = django.ask(message(f"{method} /document", accepted, line, host=HOST))
        assert (response.status, response.one("etag"), response.body) == (304, tag, b"")
    split = django.ask(get("/document", accepted, 'If-None-Match: "x"', f"If-None-Match: {tag.decode()}", host=HOST))
    assert (split.status, split.one("etag")) == (304, tag)
    if coding != "identity":
        assert b"Accept-Encoding" in split.all("vary")
    assert django.ask(_put()).status == 204
    status, new = _read(django, accepted, f"If-None-Match: {tag.decode()}")
    assert (status, new != tag) == (200, True)


def test_a_cache_does_not_hear_that_what_its_client_cannot_read_is_current(django: FrontDoor) -> None:
    # spec: C2
    _, tag = _read(django, "Accept-Encoding: gzip")
    for accepted in ("Accept-Encoding: identity", "X-Nothing: 1", "Accept-Encoding: br"):
        status, other = _read(django, accepted, f"If-None-Match: {tag.decode()}")
        assert (status, other != tag) == (200, True)
    _, plain = _read(django)
    status, named = _read(django, "Accept-Encoding: gzip", f"If-None-Match: {plain.decode()}, {tag.decode()}")
    assert (status, named) == (304, tag)


def test_a_client_as_they_are(django: FrontDoor) -> None:
    # spec: C2: aiohttp asks for every coding that it knows, as browsers, requests and httpx do
    async def edit() -> list[int]:
        url = f"http://127.0.0.1:{django.port()}/document"
        statuses = []
        async with aiohttp.ClientSession(headers={"Host": HOST}) as session:
            for _ in range(3):
                async with session.get(url) as response:
                    assert "Content-Encoding" in response.headers
                    assert (await response.text()).startswith("lorem ipsum")
                    tag = response.headers["ETag"]
                async with session.get(url, headers={"If-None-Match": tag}) as response:
                    statuses.append(response.status)
                for _ in range(2):
                    text = "lorem ipsum " * 200
                    async with session.put(url, data=text, headers={"If-Match": tag}) as response:
                        statuses.append(response.status)
        return statuses

    assert asyncio.run(edit()) == [304, 204, 412] * 3


TEXT = b"lorem ipsum " * 1000


def _with_ranges(peer: Peer) -> None:
    """An app with one strong tag and ranges, which tells in X-Seen what it was asked under conditions."""
    while True:
        request = peer.request()
        seen = {name.decode().lower(): value.decode() for name, value in request.fields}
        conditions = {name: seen[name] for name in sorted(seen) if name.startswith("if-") or name == "range"}
        lines = ('ETag: "v1"', "Content-Type: text/plain", f"X-Seen: {json.dumps(conditions)}")
        if "range" in seen and seen.get("if-range", '"v1"') == '"v1"':
            start = int(seen["range"].removeprefix("bytes=").removesuffix("-"))
            part = f"Content-Range: bytes {start}-{len(TEXT) - 1}/{len(TEXT)}"
            peer.send(ok(TEXT[start:], *lines, part, status="206 Partial Content"))
        else:
            peer.send(ok(TEXT, *lines))


def test_no_part_of_the_plain_body_completes_a_compressed_one(tmp_path_factory: pytest.TempPathFactory) -> None:
    # spec: C2, F5
    with Instance(_with_ranges) as instance:
        config = configure(instance.address, compression={"algorithms": ["gzip"]})
        with FrontDoor(config, tmp_path_factory.mktemp("ranges")) as door:
            accepted = "Accept-Encoding: gzip"
            whole = door.ask(get("/", accepted))
            assert (whole.one("etag"), gzip.decompress(whole.body)) == (b'"v1-lb-gzip"', TEXT)
            resumed = door.ask(get("/", accepted, "Range: bytes=10-", 'If-Range: "v1-lb-gzip"'))
            assert (resumed.status, resumed.body, resumed.one("etag")) == (200, TEXT, b'"v1"')
            assert json.loads(resumed.one("x-seen")) == {}
            plain = door.ask(get("/", accepted, "Range: bytes=10-", 'If-Range: "v1"'))
            assert (plain.status, plain.body, plain.one("etag")) == (206, TEXT[10:], b'"v1"')


def test_the_app_gets_its_own_tags_wherever_compression_is_off(tmp_path_factory: pytest.TempPathFactory) -> None:
    # spec: C2: clients come back with what they were given before a reload
    directory = tmp_path_factory.mktemp("off")
    with (
        Instance(_with_ranges) as instance,
        FrontDoor(configure(instance.address, compression=False), directory) as door,
    ):
        for method in ("GET", "PUT"):
            lines = ('If-Match: "a-lb-gzip", W/"b-lb-br"', "Accept-Encoding: gzip, br, zstd", "Content-Length: 0")
            response = door.ask(message(f"{method} /", *lines))
            assert json.loads(response.one("x-seen")) == {"if-match": '"a", W/"b"'}
