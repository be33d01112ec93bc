"""How an HTTP/1 message is framed: a head with what comes first, lengths and chunks."""

from __future__ import annotations

import pytest

from lb.proxy.http1.message_writer import MessageWriter
from lb.proxy.io.read_buffer import ReadBuffer

HEAD = b"POST / HTTP/1.1\r\n\r\n"


class Written(MessageWriter):
    """Keeps what would be sent, one item a system call."""

    def __init__(self) -> None:
        super().__init__()
        self.set_up()
        self.out: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.out.append(data)

    def send_with(self, prefix: bytes | None, source: ReadBuffer, suffix: bytes | None) -> None:
        self.out.append((prefix or b"") + source.take_ready() + (suffix or b""))


def ready(data: bytes) -> ReadBuffer:
    buffer = ReadBuffer()
    buffer.fill(data)
    buffer.read_raw()
    return buffer


# spec: F4
def test_a_head_goes_with_what_comes_first_and_once() -> None:
    written = Written()
    written.begin(HEAD, False)
    assert written.out == []
    written.body(ready(b"one"), None)
    written.body(ready(b"two"), b"")
    assert written.out == [HEAD + b"one", b"two"]


# spec: F4
@pytest.mark.parametrize("size", [1, 15, 16, 4096])
def test_the_size_of_a_chunk_is_hexadecimal(size: int) -> None:
    written = Written()
    written.begin(b"", True)
    written.piece(b"x" * size, None)
    assert written.out == [b"%x\r\n" % size + b"x" * size + b"\r\n"]


# spec: F4
def test_an_empty_piece_is_no_chunk_since_that_would_be_the_last() -> None:
    written = Written()
    written.begin(HEAD, True)
    written.piece(b"", None)
    written.body(ready(b""), None)
    assert b"".join(written.out) == HEAD


# spec: F4
def test_trailers_stand_behind_the_last_chunk_and_end_the_message() -> None:
    written = Written()
    written.begin(HEAD, True)
    written.body(ready(b"ab"), b"Sum: 1\r\n")
    assert written.out == [HEAD + b"2\r\nab\r\n0\r\nSum: 1\r\n\r\n"]
    written.piece(b"raw", None)  # of another protocol, if anything
    assert written.out[1:] == [b"raw"]


def test_where_there_is_nothing_to_send_nothing_is_sent() -> None:
    written = Written()
    written.piece(b"", b"")
    assert written.out == []
