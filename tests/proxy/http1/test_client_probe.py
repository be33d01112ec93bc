"""What is sent ahead of a response to a client that shut its side: the response stays what it was."""

from __future__ import annotations

import pytest

from lb.proxy.http1.client_probe import ClientProbe

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


@pytest.mark.parametrize("tries", range(12))
def test_the_client_reads_one_whole_head(tries: int) -> None:
    # spec: F4
    probe = ClientProbe()
    ahead = b"".join(probe.of_status_line() for _ in range(tries))
    assert ahead + probe.rest(HEAD) == HEAD
    assert len(ahead) == min(tries, len(b"HTTP/1.1 "))


def test_behind_an_interim_response_another_status_line_begins() -> None:
    # spec: F4
    probe = ClientProbe()
    ahead = probe.of_status_line()
    ahead += probe.rest(b"HTTP/1.1 102 Processing\r\n\r\n")
    probe.begin_again()
    ahead += probe.of_status_line() + probe.of_status_line()
    assert ahead + probe.rest(HEAD) == b"HTTP/1.1 102 Processing\r\n\r\n" + HEAD


def test_a_head_that_never_went_leaves_another_one_what_is_to_be_sent() -> None:
    # spec: F4
    probe = ClientProbe()
    ahead = probe.of_status_line()
    assert probe.rest(b"HTTP/1.1 502 Bad Gateway\r\n\r\n") == b"TTP/1.1 502 Bad Gateway\r\n\r\n"
    assert ahead + probe.rest(HEAD) == HEAD


def test_zeros_before_the_size_of_a_chunk_are_few() -> None:
    # spec: F4; RFC 9112 section 7.1
    probe = ClientProbe()
    zeros = b"".join(probe.of_chunk_size() for _ in range(100))
    assert 0 < len(zeros) <= 8
    assert int(zeros + b"5", 16) == 5
