"""Bodies that are collected, as dialogues: with the time that passes, and with what both sides do meanwhile."""

from __future__ import annotations

from tests.proxy.dialogue import DATE, FIELDS, Dialogue, client, head, instance, logged, passes

_COMMON = ("Host: app.example", "X-Request-Id: r")
CHUNKED = head("POST / HTTP/1.1", *_COMMON, "Transfer-Encoding: chunked")
STREAMED = head("POST / HTTP/1.1", *_COMMON, *FIELDS, "Transfer-Encoding: chunked")
KNOWN = head("POST / HTTP/1.1", *_COMMON, "Content-Length: 4")
EXPECTING = head("POST / HTTP/1.1", *_COMMON, "Content-Length: 4", "Expect: 100-continue")
COLLECTED = head("POST / HTTP/1.1", *_COMMON, "Content-Length: 4", *FIELDS)
CONTINUE = head("HTTP/1.1 100 Continue")
OK = head("HTTP/1.1 200 OK", "Content-Length: 0")
OK_TOLD = head("HTTP/1.1 200 OK", "Content-Length: 0", DATE)


# spec: F6
def test_no_instance_is_asked_before_the_body_is_here() -> None:
    assert (
        Dialogue(buffering="auto")
        >> client(KNOWN + b"bo")
        >> passes(50)
        >> client(b"d")
        >> passes(50)
        >> client(b"y")
        << instance.connects
        >> instance.accepts
        << instance(COLLECTED + b"body")
        >> instance(OK)
        << client(OK_TOLD)
        << logged(200)
    )


# spec: F6
def test_chunks_that_come_within_a_second_of_each_other_are_one_body() -> None:
    assert (
        Dialogue(buffering="auto")
        >> client(CHUNKED)
        >> passes(0.9)
        >> client(b"2\r\nbo\r\n")
        >> passes(0.9)
        >> client(b"2\r\ndy\r\n")
        >> passes(0.9)
        >> client(b"0\r\n\r\n")
        << instance.connects
        >> instance.accepts
        << instance(COLLECTED + b"body")
        >> instance(OK)
        << client(OK_TOLD)
        << logged(200)
    )


# spec: F6
def test_after_a_second_of_silence_chunks_go_on_as_they_come() -> None:
    assert (
        Dialogue(buffering="auto")
        >> client(CHUNKED + b"2\r\nbo\r\n")
        >> passes(1.3)
        << instance.connects
        >> instance.accepts
        << instance(STREAMED + b"2\r\nbo\r\n")
        >> passes(50)
        >> client(b"2\r\ndy\r\n")
        << instance(b"2\r\ndy\r\n")
        >> client(b"0\r\n\r\n")
        << instance(b"0\r\n\r\n")
        >> instance(OK)
        << client(OK_TOLD)
        << logged(200)
    )


# spec: F6, F4
def test_the_client_is_told_to_go_on_before_there_is_an_instance() -> None:
    assert (
        Dialogue(buffering="auto")
        >> client(EXPECTING)
        << client(CONTINUE)
        >> client(b"body")
        << instance.connects
        >> instance.accepts
        << instance(COLLECTED + b"body")
        >> instance(CONTINUE)  # said already
        >> instance(OK)
        << client(OK_TOLD)
        << logged(200)
    )


# spec: F6, L3
def test_a_client_that_stops_in_its_body_is_late() -> None:
    assert (
        Dialogue(buffering="auto")
        >> client(KNOWN + b"bo")
        >> passes(59)
        >> passes(2)
        << client.error(408, "request_timeout", closing=True)
        << logged(408, "request_timeout")
        << client.ends
    )


# spec: F6, F3
def test_a_client_that_leaves_in_its_body_costs_no_instance_anything() -> None:
    assert (
        Dialogue(buffering="auto")
        >> client(CHUNKED + b"2\r\nbo\r\n")
        >> client.ends
        << client.closes
        << logged(499, "client_closed_request")
    )
