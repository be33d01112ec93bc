"""Expect: 100-continue, as dialogues: which side tells the client to go on, and what is done when neither has to."""

from __future__ import annotations

from tests.proxy.dialogue import (
    DATE,
    FIELDS,
    Dialogue,
    client,
    head,
    instance,
    logged,
    passes,
)

_COMMON = ("Host: app.example", "X-Request-Id: r", "Content-Length: 4")
ASKED = head("POST / HTTP/1.1", *_COMMON, "Expect: 100-continue")
FORWARDED = head("POST / HTTP/1.1", *_COMMON, "Expect: 100-continue", *FIELDS)
CONTINUE = head("HTTP/1.1 100 Continue")
OK = head("HTTP/1.1 200 OK", "Content-Length: 0")
OK_TOLD = head("HTTP/1.1 200 OK", "Content-Length: 0", DATE)


def expecting() -> Dialogue:
    return Dialogue() >> client(ASKED) << instance.connects >> instance.accepts << instance(FORWARDED)


# spec: F4
def test_the_instance_tells_its_client_to_go_on() -> None:
    assert (
        expecting()
        >> instance(CONTINUE)
        << client(CONTINUE)
        >> client(b"body")
        << instance(b"body")
        >> instance(OK)
        << client(OK_TOLD)
        << logged(200)
    )


# spec: F4
def test_an_instance_that_says_nothing_for_a_second_is_spoken_for() -> None:
    assert (
        expecting()
        >> passes(0.9)
        >> passes(0.4)
        << client(CONTINUE)
        >> instance(CONTINUE)  # late, and said already
        >> client(b"body")
        << instance(b"body")
        >> instance(OK)
        << client(OK_TOLD)
        << logged(200)
    )


# spec: F4
def test_a_client_that_does_not_wait_is_not_told() -> None:
    assert (
        expecting()
        >> client(b"body")
        << instance(b"body")
        >> passes(2)
        >> instance(OK)
        << client(OK_TOLD)
        << logged(200)
    )


# spec: F4
def test_an_instance_that_refuses_is_not_sent_the_body() -> None:
    # It is unknown whether the body will come after all: the connection ends.
    assert (
        expecting()
        >> instance(head("HTTP/1.1 417 Expectation Failed", "Content-Length: 0"))
        << client(head("HTTP/1.1 417 Expectation Failed", "Content-Length: 0", DATE, "Connection: close"))
        << instance.closes
        << logged(417)
        << client.ends
    )


# spec: F4
def test_another_expectation_is_refused() -> None:
    assert (
        Dialogue()
        >> client(head("POST / HTTP/1.1", *_COMMON, "Expect: the-unexpected"))
        << client.error(417, "expectation_failed", closing=True)
        << logged(417, "expectation_failed")
        << client.ends
    )


# spec: F4
def test_a_100_that_nobody_asked_for_is_swallowed() -> None:
    assert (
        Dialogue()
        >> client(head("POST / HTTP/1.1", *_COMMON) + b"body")
        << instance.connects
        >> instance.accepts
        << instance(head("POST / HTTP/1.1", *_COMMON, *FIELDS) + b"body")
        >> instance(CONTINUE + OK)
        << client(OK_TOLD)
        << logged(200)
    )


# spec: F4
def test_a_client_of_http_1_0_expects_nothing() -> None:
    asked = ASKED.replace(b"HTTP/1.1", b"HTTP/1.0")
    dialogue = Dialogue() >> client(asked) << instance.connects >> instance.accepts
    forwarded = dialogue.stage.deeds[0].data
    assert b"Expect" not in forwarded
    assert (
        dialogue
        << instance(forwarded)
        >> passes(2)
        >> client(b"body")
        << instance(b"body")
        >> instance(OK)
        << client(head("HTTP/1.1 200 OK", "Content-Length: 0", DATE, "Connection: close"))
        << logged(200)
        << client.closes
    )


# spec: L3
def test_the_time_to_answer_begins_when_the_client_was_told() -> None:
    assert (
        Dialogue(timeouts={"response": "5s", "read": "1h"})
        >> client(ASKED)
        << instance.connects
        >> instance.accepts
        << instance(FORWARDED)
        >> passes(1.3)
        << client(CONTINUE)
        >> passes(2)
        >> client(b"body")
        << instance(b"body")
        >> passes(4.9)
        >> passes(0.5)
        << instance.closes
        << client.error(504, "http_response_timeout")
        << logged(504, "http_response_timeout")
    )
