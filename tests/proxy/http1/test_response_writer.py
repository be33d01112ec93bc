"""What an HTTP/1 connection adds to an answer: Connection, framing, and what was sent ahead of a head."""

from __future__ import annotations

import pytest

from lb.errors import CAUSES
from lb.http.reply import Reply, error_reply, render_lines
from lb.proxy.http1.response_writer import ResponseWriter
from lb.proxy.io.read_buffer import ReadBuffer

DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"
LINES = b"HTTP/1.1 200 OK\r\nServer: app\r\n"


class Written(ResponseWriter):
    """Keeps what would be sent, one item a system call."""

    def __init__(self, minor: int = 1) -> None:
        super().__init__()
        self.set_up()
        self.can_stream = minor == 1
        self.out: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.out.append(data)

    def send_with(self, prefix: bytes | None, source: ReadBuffer, suffix: bytes | None) -> None:
        self.out.append((prefix or b"") + source.take_ready() + (suffix or b""))


def source(data: bytes) -> ReadBuffer:
    """A source of which all of `data` is ready."""
    buffer = ReadBuffer()
    buffer.fill(data)
    assert buffer.read_raw() == len(data)
    return buffer


def connection_lines(written: Written) -> list[bytes]:
    return [line for line in b"".join(written.out).split(b"\r\n") if line.startswith(b"Connection: ")]


# spec: F4
@pytest.mark.parametrize(
    ("minor", "persistent", "connection"),
    [(1, True, []), (1, False, [b"close"]), (0, True, [b"keep-alive"]), (0, False, [b"close"])],
)
def test_a_head_says_what_becomes_of_the_connection(minor: int, persistent: bool, connection: list[bytes]) -> None:
    written = Written(minor)
    written.head(render_lines(Reply(404, (), b"x"), DATE, b"r"), b"", persistent, False)
    written.piece(b"x", b"")
    assert connection_lines(written) == [b"Connection: " + value for value in connection]
    assert written.out[0].startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert written.out[0].endswith(b"\r\n\r\nx")


# spec: F4, E2
def test_a_reply_to_head_is_the_same_head_and_no_body() -> None:
    reply = error_reply(CAUSES["connection_refused"], b"text/html", b"r", "")
    lines = render_lines(reply, DATE, b"r")
    whole, head = Written(), Written()
    for written, body in ((whole, reply.body), (head, b"")):
        written.head(lines, b"", True, False)
        written.piece(body, b"")
    assert whole.out == [head.out[0] + reply.body]
    assert b"\r\nContent-Length: %d\r\n" % len(reply.body) in head.out[0]


def test_a_head_goes_out_with_what_comes_first_of_its_body() -> None:
    written = Written()
    written.head(LINES, b"Date: now\r\n", True, False)
    assert written.out == []
    written.body(source(b"one"), None)
    written.body(source(b"two"), b"")
    assert written.out == [LINES + b"Date: now\r\n\r\none", b"two"]


def test_a_body_of_unknown_length_goes_in_chunks_with_its_trailers_behind_it() -> None:
    written = Written()
    written.head(LINES, b"", True, True)
    written.body(source(b""), None)
    written.body(source(b"0123456789"), None)
    written.piece(b"ab", None)
    written.body(source(b"c"), b"Sum: 1\r\n")
    head = LINES + b"Transfer-Encoding: chunked\r\n\r\n"
    assert written.out == [head, b"a\r\n0123456789\r\n", b"2\r\nab\r\n", b"1\r\nc\r\n0\r\nSum: 1\r\n\r\n"]


def test_an_end_without_a_last_piece_is_one_write_too() -> None:
    written = Written()
    written.head(LINES, b"", False, True)
    written.piece(b"", b"")
    assert written.out == [LINES + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n"]


def test_an_offer_of_another_protocol_is_for_those_who_know_such() -> None:
    offer = LINES + b"Upgrade: chat\r\nConnection: upgrade\r\n"
    assert Written().offered(LINES, b"chat") == offer
    assert Written(minor=0).offered(LINES, b"chat") == LINES


def test_behind_a_switch_bytes_go_as_they_are() -> None:
    written = Written()
    written.switch(b"HTTP/1.1 101 Switching Protocols\r\n", b"chat")
    written.body(source(b"hello"), None)
    head = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"
    assert written.out == [head, b"hello"]


def test_what_was_sent_ahead_of_a_head_is_not_sent_again() -> None:
    written = Written()
    written.probe(False)
    written.probe(False)
    written.interim(b"HTTP/1.1 102 Processing\r\n")
    written.probe(False)
    written.head(LINES, b"", True, True)
    written.piece(b"x", None)
    written.probe(True)
    written.piece(b"y", b"")
    written.probe(True)
    interim = b"HTTP/1.1 102 Processing\r\n\r\n"
    body = b"1\r\nx\r\n01\r\ny\r\n0\r\n\r\n"
    assert b"".join(written.out) == interim + LINES + b"Transfer-Encoding: chunked\r\n\r\n" + body


def test_nothing_is_sent_ahead_in_a_body_of_known_length() -> None:
    written = Written()
    written.head(LINES, b"", True, False)
    written.piece(b"x", None)
    written.probe(True)
    assert b"".join(written.out) == LINES + b"\r\nx"


# spec: E1, F4
@pytest.mark.parametrize("streamed", [False, True])
def test_a_head_that_another_one_replaces_takes_nothing_of_what_was_sent_ahead(streamed: bool) -> None:
    written = Written()
    written.probe(False)
    written.probe(False)
    written.head(LINES, b"", True, streamed)  # nothing of it goes: its body turns out to be broken
    written.head(b"HTTP/1.1 502 Bad Gateway\r\n", b"", False, False)
    written.piece(b"sorry", b"")
    assert b"".join(written.out) == b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\nsorry"
