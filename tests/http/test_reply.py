from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lb.errors import CAUSES, Cause
from lb.http.reply import REASONS, Reply, error_reply, redirect, render_lines

DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"
REFUSED = CAUSES["connection_refused"]
ALL_CAUSES = pytest.mark.parametrize("cause", CAUSES.values(), ids=CAUSES)


class Page(HTMLParser):
    """The text of a page, the tags and attributes that it uses, and whether every tag is closed."""

    def __init__(self, source: bytes) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.feed(source.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and self.open[-1:] != ["style"]:
            self.texts.append(data.strip())


def value(reply: Reply, name: bytes) -> bytes:
    (found,) = [content for key, content in reply.fields if key == name]
    return found


# spec: E2
@ALL_CAUSES
def test_text_form_is_one_line(cause: Cause) -> None:
    reply = error_reply(cause, b"*/*", b"req-1", "")
    assert reply.status == cause.status
    assert value(reply, b"Content-Type").startswith(b"text/plain")
    assert reply.body.decode() == f"{cause.status} {cause.code}: {cause.sentence} {cause.mend} (request req-1)\n"
    assert reply.body.count(b"\n") == 1


# spec: E2
@ALL_CAUSES
def test_json_form(cause: Cause) -> None:
    reply = error_reply(cause, b"application/json", b"req-1", "")
    assert value(reply, b"Content-Type") == b"application/json"
    assert json.loads(reply.body) == {
        "error": {
            "status": cause.status,
            "cause": cause.code,
            "message": cause.sentence,
            "mend": cause.mend,
            "request_id": "req-1",
        }
    }


# spec: E2
@ALL_CAUSES
def test_html_form_says_everything_and_loads_nothing(cause: Cause) -> None:
    reply = error_reply(cause, b"text/html", b"req-1", "")
    assert value(reply, b"Content-Type") == b"text/html; charset=utf-8"
    page = Page(reply.body)
    reason = REASONS[cause.status].decode()
    assert page.texts == [
        *(f"{cause.status} {reason}", f"{cause.status} {reason}", cause.sentence, cause.mend),
        *("Cause", cause.code, "Request", "req-1"),
    ]
    assert page.open == []
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert not {"src", "href", "style"} & {name for name, _ in page.attributes}
    assert ("lang", "en") in page.attributes
    assert b"url(" not in reply.body
    assert b"@import" not in reply.body
    assert b"\0" not in reply.body


# spec: E1
@ALL_CAUSES
def test_proxy_status_has_the_cause_in_every_form(cause: Cause) -> None:
    for accept in (b"", b"text/html", b"application/json"):
        reply = error_reply(cause, accept, b"req-1", "")
        assert value(reply, b"Proxy-Status") == b"lb; error=" + cause.code.encode()
        assert value(reply, b"Cache-Control") == b"no-store"


# spec: E2, L5
def test_retry_after_comes_with_the_causes_that_pass() -> None:
    assert value(error_reply(CAUSES["destination_unavailable"], b"", b"r", ""), b"Retry-After") == b"5"
    assert b"Retry-After" not in dict(error_reply(REFUSED, b"", b"r", "").fields)


# spec: E2
def test_a_detail_is_shown_in_every_form() -> None:
    cause = CAUSES["http_request_error"]
    detail = 'two "Host" <fields> \\ &amp;'
    message = f"The request is not valid HTTP: {detail}."
    text = error_reply(cause, b"", b"r", detail)
    assert text.body.decode() == f"400 http_request_error: {message} {cause.mend} (request r)\n"
    assert json.loads(error_reply(cause, b"application/json", b"r", detail).body)["error"]["message"] == message
    assert message in Page(error_reply(cause, b"text/html", b"r", detail).body).texts
    assert value(text, b"Proxy-Status") == (rb'lb; error=http_request_error; details="two \"Host\" <fields> \\ &amp;"')


# attacks: 26
@settings(deadline=None)
@given(st.text(), st.binary())
def test_nothing_from_outside_breaks_out(detail: str, request_id: bytes) -> None:
    for accept in (b"", b"text/html", b"application/json"):
        reply = error_reply(REFUSED, accept, request_id, detail)
        for _, content in reply.fields:
            assert re.fullmatch(rb"[\x20-\x7e]*", content)
        match accept:
            case b"":
                assert reply.body.count(b"\n") == 1
                assert reply.body.endswith(b"\n")
            case b"text/html":
                page = Page(reply.body)
                assert page.open == []
                assert page.tags == Page(error_reply(REFUSED, accept, b"r", "").body).tags
            case _:
                assert json.loads(reply.body)["error"]["request_id"] == request_id.decode("latin-1")


def test_a_detail_is_bounded() -> None:
    assert len(error_reply(REFUSED, b"", b"r", "x" * 100_000).body) < 500


# spec: T2
@pytest.mark.parametrize("status", [301, 308])
def test_redirect(status: int) -> None:
    reply = redirect(b"https://www.example.com/a%20b?c=d", status)
    assert reply.status == status
    assert value(reply, b"Location") == b"https://www.example.com/a%20b?c=d"
    assert b"https://www.example.com/a%20b?c=d" in reply.body


# attacks: 26
@settings(deadline=None)
@given(st.binary())
def test_no_location_ends_its_field(location: bytes) -> None:
    assert re.fullmatch(rb"[\x21-\x7e]*", value(redirect(location, 301), b"Location"))


def test_redirect_keeps_every_byte_of_a_uri() -> None:
    assert value(redirect(b"https://a/\r\nX: y\xff", 301), b"Location") == b"https://a/%0D%0AX:%20y%FF"


# spec: E2
def test_render_lines_writes_all_but_what_the_connection_adds() -> None:
    reply = Reply(502, ((b"Content-Type", b"text/plain"),), b"broken\n")
    assert render_lines(reply, DATE, b"r1") == (
        b"HTTP/1.1 502 Bad Gateway\r\n"
        b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        b"Content-Type: text/plain\r\n"
        b"Content-Length: 7\r\n"
        b"X-Request-Id: r1\r\n"
    )


# spec: F4
@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_body_has_no_length(status: int) -> None:
    assert b"Content-Length" not in render_lines(Reply(status, (), b""), DATE, b"r")


def test_every_cause_has_a_reason_phrase() -> None:
    assert all(REASONS[cause.status] for cause in CAUSES.values())
    assert REASONS[413] == b"Content Too Large"
