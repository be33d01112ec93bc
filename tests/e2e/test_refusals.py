"""What a request that is too large is told, and what the log says of one that was never read whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness.client import HOST, chunked, get, message, post
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.expect import assert_error
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.scripts import echo

# spec: L1, L2, E1, E2

_LIMITS = {"body": 1000, "header_line": 512, "header_total": 2048, "header_fields": 20}
_KIND = {"html": "text/html", "json": "application/json", "text": "text/plain"}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontDoor]:
    with Instance(echo()) as instance:
        config = configure(instance.address, limits=_LIMITS, timeouts={"head": "1s"})
        with FrontDoor(config, tmp_path_factory.mktemp("refusals")) as opened:
            yield opened


def _too_large(accept: str) -> dict[str, tuple[bytes, int, str]]:
    lines = (f"Accept: {accept}", "User-Agent: tester")
    return {
        "body": (post("/body", b"x" * 1001, *lines), 413, "1000 bytes (limits.body)"),
        "chunked body": (
            message("POST /body", "Transfer-Encoding: chunked", *lines, host=HOST, body=chunked(b"x" * 1001)),
            413,
            "1000 bytes (limits.body)",
        ),
        "cookie": (
            get("/line", *lines, "Cookie: " + "secret" * 100),
            431,
            "the field Cookie is longer than 512 bytes (limits.header_line)",
        ),
        "fields": (get("/fields", *lines, *["A: b"] * 20), 431, "more than 20 fields (limits.header_fields)"),
        "total": (get("/total", *lines, *["A: " + "b" * 400] * 6), 431, "than 2048 bytes (limits.header_total)"),
    }


@pytest.mark.parametrize("form", _KIND)
@pytest.mark.parametrize("what", _too_large(""))
def test_the_limit_and_its_key_are_named_in_every_form(door: FrontDoor, what: str, form: str) -> None:
    data, status, text = _too_large(_KIND[form])[what]
    with door.connect() as client:
        client.send_quietly(data)
        response = client.response()
    assert_error(response, status)
    assert response.one("content-type").startswith(_KIND[form].encode())
    shown = json.loads(response.body)["error"]["message"] if form == "json" else response.body.decode()
    assert text in shown
    assert text in response.one("proxy-status").decode()
    assert "secret" not in shown
    target = data.split(b" ", 2)[1].decode()
    entry = door.wait_log(status=status, target=target, user_agent="tester")
    assert (entry["host"], entry["app"], entry["environment"]) == (HOST, "shop", "production")
    assert entry["method"] == data.partition(b" ")[0].decode()


def test_a_request_line_that_is_too_long(door: FrontDoor) -> None:
    with door.connect() as client:
        client.send_quietly(get("/long" + "a" * 3000))
        response = client.response()
    assert_error(response, 414, "request_line_too_long")
    assert "512 bytes (limits.header_line)" in response.one("proxy-status").decode()
    entry = door.wait_log(status=414)
    assert entry["method"] == "GET"
    assert entry["target"].startswith("/longaaa")
    assert len(entry["target"]) <= 1024


def test_trailers_name_their_limits(door: FrontDoor) -> None:
    body = chunked(b"x", trailers=["A: " + "b" * 600])
    with door.connect() as client:
        client.send_quietly(message("POST /trailers", "Transfer-Encoding: chunked", host=HOST, body=body))
        response = client.response()
    assert_error(response, 431)
    assert "trailers may have" in response.one("proxy-status").decode()
    assert "limits.header_line" in response.one("proxy-status").decode()


def test_a_head_request_that_is_refused_gets_no_body(door: FrontDoor) -> None:
    # spec: F4
    with door.connect() as client:
        client.send_quietly(message("HEAD /head", "Cookie: " + "x" * 600, host=HOST))
        response = client.response("HEAD")
        assert response.status == 431
        assert int(response.one("content-length")) > 0
        assert client.rest() == b""


def test_a_head_that_is_late_says_what_came_of_it(door: FrontDoor) -> None:
    # spec: L4
    with door.connect() as client:
        client.send(b"GET /late HTTP/1.1\r\nHost: shop.example.com\r\nX-")
        assert_error(client.response(), 408, "request_timeout")
    entry = door.wait_log(status=408)
    assert (entry["method"], entry["target"], entry["host"], entry["app"]) == ("GET", "/late", HOST, "shop")


def test_what_was_no_request_has_nothing_to_tell(door: FrontDoor) -> None:
    with door.connect() as client:
        client.send_quietly(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
        assert_error(client.response(), 400, "http_request_error")
    entry = door.wait_log(status=400, method=None)
    assert (entry["target"], entry["host"], entry["app"]) == (None, None, None)


def test_a_limit_on_the_instance_side_is_named_too(tmp_path: Path) -> None:
    def script(peer: object) -> None:
        peer.request()  # type: ignore[attr-defined]
        peer.send(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 3000 + b"\r\n\r\n")  # type: ignore[attr-defined]

    with Instance(script) as instance, FrontDoor(configure(instance.address, limits=_LIMITS), tmp_path) as one:
        response = one.ask(get())
        assert_error(response, 502, "http_response_header_section_size")
        assert "2048 bytes (limits.header_total)" in response.one("proxy-status").decode()
