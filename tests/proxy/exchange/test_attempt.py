"""An instance that cannot be reached, breaks off or is silent, as dialogues: which gets the request next, and what the
client is told when none does.
"""

from __future__ import annotations

import errno

import pytest

from tests.proxy.dialogue import (
    DATE,
    GET,
    GET_FORWARDED,
    POST,
    POST_FORWARDED,
    Dialogue,
    Word,
    client,
    connects_at_once,
    fails_at_once,
    head,
    instance,
    logged,
    passes,
)

OK = head("HTTP/1.1 200 OK", "Content-Length: 0")
OK_TOLD = head("HTTP/1.1 200 OK", "Content-Length: 0", DATE)
PUT, PUT_FORWARDED = POST.replace(b"POST", b"PUT"), POST_FORWARDED.replace(b"POST", b"PUT")

second = instance.number(2)
third = instance.number(3)


def pooled(**config: object) -> Dialogue:
    """A dialogue in which the first instance has served, and its connection waits in the pool."""
    return (
        Dialogue(**config)  # type: ignore[arg-type]
        >> client(GET)
        << instance.connects_to(1)
        >> instance.accepts
        << instance(GET_FORWARDED)
        >> instance(OK)
        << client(OK_TOLD)
        << logged(200)
    )


# spec: F2
def test_the_next_instance_has_what_one_refused() -> None:
    assert (
        Dialogue(instances=2)
        >> client(POST + b"body")
        << instance.connects_to(1)
        >> instance.refuses(errno.ECONNREFUSED)
        << second.connects_to(2)
        >> second.accepts
        << second(POST_FORWARDED + b"body")
        >> second(OK)
        << client(OK_TOLD)
        << logged(200)
    )


# spec: E1, E3
@pytest.mark.parametrize(
    ("error", "status", "cause"),
    [
        (errno.ECONNREFUSED, 502, "connection_refused"),
        (errno.EHOSTUNREACH, 502, "destination_ip_unroutable"),
        (errno.ETIMEDOUT, 504, "connection_timeout"),
    ],
)
def test_a_client_is_told_why_no_instance_could_be_reached(error: int, status: int, cause: str) -> None:
    assert (
        Dialogue()
        >> client(GET)
        << instance.connects
        >> instance.refuses(error)
        << client.error(status, cause)
        << logged(status, cause)
    )


# spec: F1
def test_an_instance_that_refused_is_passed_over_for_a_while() -> None:
    assert (
        Dialogue(instances=2, production={"max_fails": 1})
        >> client(GET)
        << instance.connects_to(1)
        >> instance.refuses(errno.ECONNREFUSED)
        << second.connects_to(2)
        >> second.accepts
        << second(GET_FORWARDED)
        >> second(OK)
        << client(OK_TOLD)
        << logged(200)
        >> client(GET)
        << second(GET_FORWARDED)
        >> second(OK)
        << client(OK_TOLD)
        << logged(200)
    )


# spec: L3
def test_a_connection_that_takes_too_long_is_given_up_for_the_next_instance() -> None:
    assert (
        Dialogue(instances=2, timeouts={"connect": "2s"})
        >> client(GET)
        << instance.connects_to(1)
        >> passes(1.9)
        >> passes(0.5)
        << instance.closes
        << second.connects_to(2)
        >> passes(2.4)
        << second.closes
        << client.error(504, "connection_timeout")
        << logged(504, "connection_timeout")
    )


def test_a_connection_that_is_made_at_once_needs_no_turn() -> None:
    assert (
        Dialogue()
        >> connects_at_once
        >> client(GET)
        << instance.connects
        << instance(GET_FORWARDED)
        >> instance(OK)
        << client(OK_TOLD)
        << logged(200)
    )


def test_an_attempt_that_fails_at_once_leads_to_the_next_instance() -> None:
    assert (
        Dialogue(instances=2)
        >> fails_at_once(errno.ENOENT)
        >> client(GET)
        << instance.connects_to(1)
        << second.connects_to(2)
        >> second.accepts
        << second(GET_FORWARDED)
        >> second(OK)
        << client(OK_TOLD)
        << logged(200)
    )


# spec: L5
def test_an_instance_whose_queue_is_full_is_busy_and_has_not_failed() -> None:
    assert (
        Dialogue(instances=2)
        >> fails_at_once(errno.EAGAIN)
        >> client(GET)
        << instance.connects_to(1)
        << second.connects_to(2)
        >> second.accepts
        << second(GET_FORWARDED)
        >> second(OK)
        << client(OK_TOLD)
        << logged(200)
    )


# spec: E3
def test_a_lack_of_descriptors_is_not_the_instances_fault() -> None:
    assert (
        Dialogue()
        >> fails_at_once(errno.EMFILE)
        >> client(GET)
        << instance.connects
        << client.error(503, "out_of_descriptors")
        << logged(503, "out_of_descriptors")
        >> client(GET)
        << second.connects_to(1)
        >> second.accepts
        << second(GET_FORWARDED)
        >> second(OK)
        << client(OK_TOLD)
        << logged(200)
    )


# spec: F2
@pytest.mark.parametrize("request_", [(GET, GET_FORWARDED), (PUT + b"body", PUT_FORWARDED + b"body")])
def test_what_may_be_repeated_is_sent_again_whole(request_: tuple[bytes, bytes]) -> None:
    asked, forwarded = request_
    assert (
        Dialogue(instances=2)
        >> client(asked)
        << instance.connects_to(1)
        >> instance.accepts
        << instance(forwarded)
        >> instance.breaks
        << second.connects_to(2)
        >> second.accepts
        << second(forwarded)
        >> second(OK)
        << client(OK_TOLD)
        << logged(200)
    )


# spec: F2
def test_an_instance_that_ends_in_the_middle_of_its_head_has_broken_off() -> None:
    assert (
        Dialogue(instances=2)
        >> client(GET)
        << instance.connects_to(1)
        >> instance.accepts
        << instance(GET_FORWARDED)
        >> instance(b"HTTP/1.1 200")
        >> instance.ends
        << instance.closes
        << second.connects_to(2)
        >> second.accepts
        << second(GET_FORWARDED)
        >> second.ends
        << second.closes
        << client.error(502, "connection_terminated")
        << logged(502, "connection_terminated")
    )


# spec: F2
def test_a_request_is_sent_three_times_at_most() -> None:
    dialogue = Dialogue(instances=5) >> client(GET)
    for number in (1, 2, 3):
        connection = instance.number(number)
        dialogue = dialogue << connection.connects_to(number) >> connection.accepts << connection(GET_FORWARDED)
        dialogue = dialogue >> connection.breaks
    assert dialogue << client.error(502, "connection_terminated") << logged(502, "connection_terminated")


# spec: F2
@pytest.mark.parametrize(("ending", "what_is_closed"), [(instance.breaks, ()), (instance.ends, (instance.closes,))])
def test_what_may_not_be_repeated_is_not(ending: Word, what_is_closed: tuple[Word, ...]) -> None:
    dialogue = (
        Dialogue(instances=2)
        >> client(POST + b"body")
        << instance.connects_to(1)
        >> instance.accepts
        << instance(POST_FORWARDED + b"body")
        >> ending
    )
    for word in what_is_closed:
        dialogue = dialogue << word
    assert dialogue << client.error(502, "connection_terminated") << logged(502, "connection_terminated")


# spec: F2
def test_a_body_that_was_not_kept_is_not_sent_again() -> None:
    assert (
        Dialogue(instances=2)
        >> client(PUT + b"bo")
        << instance.connects_to(1)
        >> instance.accepts
        << instance(PUT_FORWARDED + b"bo")
        >> client(b"dy")
        << instance(b"dy")
        >> instance.breaks
        << client.error(502, "connection_terminated")
        << logged(502, "connection_terminated")
    )


# spec: F2
def test_a_connection_that_ended_while_it_idled_costs_no_try() -> None:
    # The instance's end and the request have crossed: that is no failure, and the request goes to it again.
    assert (
        pooled()
        >> client(GET)
        << instance(GET_FORWARDED)
        >> instance.ends
        << instance.closes
        << second.connects_to(1)
        >> second.accepts
        << second(GET_FORWARDED)
        >> second(OK)
        << client(OK_TOLD)
        << logged(200)
    )


# spec: F2
def test_a_connection_that_ended_before_is_not_taken() -> None:
    assert (
        pooled()
        >> instance.ends
        << instance.closes
        >> client(POST + b"body")
        << second.connects_to(1)
        >> second.accepts
        << second(POST_FORWARDED + b"body")
        >> second(OK)
        << client(OK_TOLD)
        << logged(200)
    )


# spec: F2
def test_what_may_not_be_repeated_goes_over_a_fresh_connection_only() -> None:
    assert (
        pooled()
        >> passes(0.9)
        >> client(POST + b"body")
        << instance(POST_FORWARDED + b"body")
        >> instance(OK)
        << client(OK_TOLD)
        << logged(200)
        >> passes(1.5)
        >> client(POST + b"body")
        << second.connects_to(1)
        >> second.accepts
        << second(POST_FORWARDED + b"body")
        >> second(OK)
        << client(OK_TOLD)
        << logged(200)
    )


# spec: F5
def test_bytes_that_nobody_asked_for_end_an_idle_connection() -> None:
    assert pooled() >> instance(OK) << instance.closes


def test_an_idle_connection_is_closed_after_a_minute() -> None:
    assert pooled(timeouts={"idle": "1h"}) >> passes(59) >> passes(2) << instance.closes


# spec: F2
def test_retries_have_a_budget() -> None:
    dialogue = Dialogue(instances=2, production={"retry_budget": "20%", "max_fails": 1000})
    made = 0

    def ask(dialogue: Dialogue, tries: int, made: int) -> Dialogue:
        dialogue = dialogue >> client(GET)
        for number in range(made + 1, made + tries + 1):
            connection = instance.number(number)
            dialogue = dialogue << connection.connects >> connection.accepts << connection(GET_FORWARDED)
            dialogue = dialogue >> connection.breaks
        return dialogue << client.error(502, "connection_terminated") << logged(502, "connection_terminated")

    for _ in range(10):  # the floor of the budget
        dialogue = ask(dialogue, 2, made)
        made += 2
    assert ask(dialogue, 1, made)


# spec: L3
def test_an_instance_that_does_not_answer_in_time() -> None:
    assert (
        Dialogue(timeouts={"response": "5s"})
        >> client(GET)
        << instance.connects
        >> instance.accepts
        << instance(GET_FORWARDED)
        >> passes(4.9)
        >> passes(0.4)
        << instance.closes
        << client.error(504, "http_response_timeout")
        << logged(504, "http_response_timeout")
    )


# spec: L3
def test_an_instance_that_pauses_too_long_in_its_body() -> None:
    assert (
        Dialogue(timeouts={"read": "5s"})
        >> client(GET)
        << instance.connects
        >> instance.accepts
        << instance(GET_FORWARDED)
        >> instance(head("HTTP/1.1 200 OK", "Content-Length: 4") + b"ab")
        << client(head("HTTP/1.1 200 OK", "Content-Length: 4", DATE) + b"ab")
        >> passes(4)
        >> instance(b"c")
        << client(b"c")
        >> passes(4.9)
        >> passes(0.4)
        << instance.closes
        << client.closes
        << logged(200, "connection_read_timeout")
    )


# spec: E3, F5
@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (b"SSH-2.0-x\r\n", "http_protocol_error"),
        (b"HTTP/1.1 600 Much\r\n\r\n", "http_protocol_error"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "http_protocol_error"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, "http_response_header_section_size"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "instance_speaks_tls"),
    ],
)
def test_an_answer_that_cannot_be_read(said: bytes, cause: str) -> None:
    assert (
        Dialogue(instances=2)
        >> client(GET)
        << instance.connects
        >> instance.accepts
        << instance(GET_FORWARDED)
        >> instance(said)
        << instance.closes
        << client.error(502, cause)
        << logged(502, cause)
    )


# spec: A1
def test_without_an_instance_that_may_serve() -> None:
    dialogue = Dialogue()
    dialogue.stage.environment.instances[0].set_healthy(False, 0.0)
    assert (
        dialogue
        >> client(GET)
        << client.error(503, "destination_unavailable")
        << logged(503, "destination_unavailable")
    )


# spec: B1
def test_a_client_sticks_to_its_instance() -> None:
    dialogue = (
        Dialogue(instances=2, production={"balance": "sticky"})
        >> client(GET)
        << instance.connects_to(1)
        >> instance.accepts
        << instance(GET_FORWARDED)
        >> instance(OK)
    )
    told = dialogue.stage.deeds[0].data
    cookie = next(line for line in told.split(b"\r\n") if line.startswith(b"Set-Cookie: ")).split(b";")[0]
    brought = GET.replace(b"\r\n\r\n", b"\r\nCookie: a=b; " + cookie.removeprefix(b"Set-Cookie: ") + b"\r\n\r\n")
    assert (
        dialogue
        << client(told)
        << logged(200)
        >> client(brought)
        << instance(GET_FORWARDED.replace(b"X-Request-Id: r\r\n", b"X-Request-Id: r\r\nCookie: a=b\r\n"))
        >> instance(OK)
        << client(OK_TOLD)
        << logged(200)
    )


# spec: F2, F3
def test_for_a_client_that_may_have_left_nothing_is_sent_again() -> None:
    assert (
        Dialogue(instances=2)
        >> client(GET)
        << instance.connects_to(1)
        >> instance.accepts
        << instance(GET_FORWARDED)
        >> client.ends
        >> instance.breaks
        << client.error(502, "connection_terminated")
        << logged(502, "connection_terminated")
        << client.closes
    )
