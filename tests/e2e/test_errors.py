"""The front door's own replies: one cause everywhere, in the client's form, telling nothing internal. E1 and E2."""

from __future__ import annotations

import json

import pytest

from lb.errors import CAUSES
from tests.e2e.conftest import OpenStage
from tests.e2e.harness.client import get, message
from tests.e2e.harness.door import FrontDoor
from tests.e2e.harness.expect import assert_error, assert_logged, proxy_error
from tests.e2e.harness.instance import Peer
from tests.e2e.harness.scripts import close_unanswered, echo, ok, reset_unanswered

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (BROWSER, b"text/html"),
        ("text/html", b"text/html"),
        ("application/json", b"application/json"),
        ("application/json, text/plain, */*", b"application/json"),
        ("text/plain", b"text/plain"),
        ("*/*", b"text/plain"),
        (None, b"text/plain"),
        ("text/html;q=0.1, application/json;q=0.9", b"application/json"),
        ("text/html;q=0, */*", b"text/plain"),
        ("image/png", b"text/plain"),
        ("nonsense;;q=x", b"text/plain"),
    ],
)
def test_the_form_is_what_the_client_accepts(refusing: tuple[FrontDoor, str], accept: str | None, kind: bytes) -> None:
    # spec: E2
    door, host = refusing
    lines = [] if accept is None else [f"Accept: {accept}"]
    response = door.ask(get("/", *lines, host=host))
    assert response.one("content-type").split(b";")[0] == kind
    assert_error(response, 502, "connection_refused")
    cause = CAUSES["connection_refused"]
    if kind == b"application/json":
        assert json.loads(response.body)["error"]["cause"] == "connection_refused"
    if kind == b"text/plain":
        assert len(response.body.strip().splitlines()) == 1
        assert cause.sentence.encode() in response.body
    if kind == b"text/html":
        assert b"<html" in response.body.lower()


def test_the_reply_says_who_can_mend_it_and_is_not_cached(refusing: tuple[FrontDoor, str]) -> None:
    # spec: E2
    door, host = refusing
    response = door.ask(get("/", f"Accept: {BROWSER}", host=host))
    assert b"operator" in response.body
    assert response.one("cache-control") == b"no-store"
    assert response.has("date")


def test_the_request_id_links_page_and_log(refusing: tuple[FrontDoor, str]) -> None:
    # spec: E1, E2
    door, host = refusing
    response = door.ask(get("/", "X-Request-Id: find-me-again", "Accept: application/json", host=host))
    assert b"find-me-again" in response.body
    assert_logged(door, 502, "connection_refused", request_id="find-me-again", host=host)


def test_what_the_client_sent_is_escaped_in_the_page(refusing: tuple[FrontDoor, str]) -> None:
    # spec: E2
    door, host = refusing
    lines = (f"Accept: {BROWSER}", "X-Request-Id: <script>", "User-Agent: <script>")
    assert b"<script>" not in door.ask(get("/<script>alert(1)</script>", *lines, host=host)).body


def test_an_error_keeps_the_connection_when_nothing_forbids_it(refusing: tuple[FrontDoor, str]) -> None:
    # spec: E1
    door, host = refusing
    with door.connect() as client:
        for turn in range(3):
            assert_error(client.ask(get(f"/{turn}", host=host)), 502, "connection_refused")


def test_an_error_for_head_has_no_body(refusing: tuple[FrontDoor, str]) -> None:
    # spec: E2, F4
    door, host = refusing
    with door.connect() as client:
        client.send(message("HEAD /", host=host) + message("HEAD /", host=host))
        for _ in range(2):
            response = client.response("HEAD")
            assert (response.status, response.body) == (502, b"")
        assert not client.stream.pending


BROKEN = {
    "close": (close_unanswered, "connection_terminated"),
    "reset": (reset_unanswered, "connection_terminated"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_an_instance_that_breaks_off(stage: OpenStage, kind: str) -> None:
    # spec: E1
    script, cause = BROKEN[kind]
    with stage(script) as on:
        response = on.door.ask(message("POST /broken", "Content-Length: 0", host=on.host))
        assert_error(response, 502, cause)
        entry = assert_logged(on.door, 502, cause, target="/broken", host=on.host)
        assert entry["instance"] is not None


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"garbage\r\n\r\n", "http_protocol_error"),
        (b"\x16\x03\x01\x02\x00", "instance_speaks_tls"),
        (b"\x15\x03\x03\x00\x02\x02\x46", "instance_speaks_tls"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "http_protocol_error"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 2_000_000, "http_response_header_section_size"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 200_000, "http_response_header_section_size"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "connection_terminated"),
    ],
)
def test_an_instance_that_answers_with_something_else(stage: OpenStage, data: bytes, cause: str) -> None:
    # spec: E1
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(data)

    with stage(script) as on:
        response = on.door.ask(message("POST /odd", "Content-Length: 0", host=on.host))
        allowed = (cause, "http_response_incomplete") if cause == "connection_terminated" else (cause,)
        assert_error(response, 502, *allowed)
        assert_logged(on.door, 502, proxy_error(response), target="/odd", host=on.host)


def test_every_request_that_went_well_has_no_cause(stage: OpenStage) -> None:
    # spec: E1
    with stage(echo()) as on:
        response = on.door.ask(get("/well", host=on.host))
        assert not response.has("proxy-status")
        assert_logged(on.door, 200, None, target="/well", host=on.host)


def test_an_error_of_the_app_is_the_apps_own(stage: OpenStage) -> None:
    # spec: E1
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(ok(b"own page", status="502 Bad Gateway"))
        peer.wait_gone()

    with stage(script) as on:
        response = on.door.ask(get("/own", host=on.host))
        assert response.body == b"own page"
        assert_logged(on.door, 502, None, target="/own", host=on.host)


def test_our_own_replies_carry_the_request_id(refusing: tuple[FrontDoor, str]) -> None:
    # spec: H5
    door, host = refusing
    for target, host_ in (("/", host), ("/", "nobody.example"), ("/.well-known/acme-challenge/x", host)):
        kept = door.ask(get(target, "X-Request-Id: mine-1", host=host_))
        assert kept.one("x-request-id") == b"mine-1"
        made = door.ask(get(target, "X-Request-Id: not well formed", host=host_)).one("x-request-id")
        assert len(made) == 32
        assert made.isalnum()
    unreadable = door.ask(b"nonsense\r\n\r\n")
    assert len(unreadable.one("x-request-id")) == 32
