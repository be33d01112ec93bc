"""Back-pressure, as dialogues: a side that does not read makes the other wait, and has a time limit for it."""

from __future__ import annotations

from tests.proxy.dialogue import (
    DATE,
    GET,
    GET_FORWARDED,
    POST,
    POST_CHUNKED,
    POST_CHUNKED_FORWARDED,
    POST_FORWARDED,
    Dialogue,
    client,
    head,
    instance,
    logged,
    passes,
    together,
)

MUCH = b"x" * 70_000  # more than may wait for one side
SIZE = 1_000_000
LARGE = head("HTTP/1.1 200 OK", f"Content-Length: {SIZE}")
LARGE_TOLD = head("HTTP/1.1 200 OK", f"Content-Length: {SIZE}", DATE)
UPLOAD = POST.replace(b"Length: 4", b"Length: %d" % SIZE)
UPLOAD_FORWARDED = POST_FORWARDED.replace(b"Length: 4", b"Length: %d" % SIZE)


def downloading(**config: object) -> Dialogue:
    """The client has the head of a large answer, and reads no more."""
    return (
        Dialogue(**config)  # type: ignore[arg-type]
        >> client(GET)
        << instance.connects
        >> instance.accepts
        << instance(GET_FORWARDED)
        >> instance(LARGE)
        << client(LARGE_TOLD)
        >> client.stops_reading
    )


def uploading(**config: object) -> Dialogue:
    """The instance has the head of a large request, and reads no more."""
    return (
        Dialogue(**config)  # type: ignore[arg-type]
        >> client(UPLOAD)
        << instance.connects
        >> instance.accepts
        << instance(UPLOAD_FORWARDED)
        >> instance.stops_reading
    )


# spec: L4, S1
def test_an_instance_waits_for_a_client_that_does_not_read() -> None:
    assert (
        downloading()
        >> instance(MUCH)
        << instance.pauses
        >> instance(b"not read")
        >> client.reads_some(50_000)
        << client(MUCH[:50_000])
        >> client.reads
        << client(MUCH[50_000:])
        << instance.resumes
        << client(b"not read")
        >> client.breaks
        << instance.closes
        << logged(200, "client_closed_request")
    )


# spec: L4
def test_a_client_that_reads_slowly_is_never_cut_off() -> None:
    dialogue = downloading(timeouts={"read": "5s"}) >> instance(MUCH) << instance.pauses
    for at in range(0, 50_000, 1000):
        dialogue = dialogue >> passes(4.5) >> client.reads_some(1000) << client(MUCH[at : at + 1000])
    assert dialogue >> client.breaks << instance.closes << logged(200, "client_closed_request")


# spec: L4
def test_a_client_that_stops_reading_is_cut_off_and_the_log_says_by_whom() -> None:
    assert (
        downloading(timeouts={"read": "5s"})
        >> instance(MUCH)
        << instance.pauses
        >> passes(4.9)
        >> passes(0.5)
        << client.closes
        << instance.closes
        << logged(200, "client_stopped_reading")
    )


# spec: L3
def test_a_paused_instance_has_no_time_to_keep() -> None:
    dialogue = downloading(timeouts={"read": "5s"}) >> instance(MUCH) << instance.pauses
    for at in range(0, 10_000, 1000):
        dialogue = dialogue >> passes(4.5) >> client.reads_some(1000) << client(MUCH[at : at + 1000])
    # From here on it is the instance's turn again.
    dialogue = dialogue >> client.reads << client(MUCH[10_000:]) << instance.resumes >> passes(4.9) >> passes(0.5)
    assert dialogue << instance.closes << client.closes << logged(200, "connection_read_timeout")


# spec: L4
def test_what_is_left_of_an_answer_has_its_time_too() -> None:
    body = b"x" * 20_000
    assert (
        Dialogue(timeouts={"read": "5s"})
        >> client(GET)
        << instance.connects
        >> instance.accepts
        << instance(GET_FORWARDED)
        >> client.stops_reading
        >> instance(head("HTTP/1.1 200 OK", "Content-Length: 20000") + body)
        << logged(200)
        >> passes(4.9)
        >> passes(0.5)
        << client.closes
    )


def test_requests_behind_an_answer_that_is_not_read_wait() -> None:
    long = b"y" * 70_000
    answer = head("HTTP/1.1 200 OK", "Content-Length: 70000")
    told = head("HTTP/1.1 200 OK", "Content-Length: 70000", DATE)
    assert (
        Dialogue()
        >> client(GET)
        << instance.connects
        >> instance.accepts
        << instance(GET_FORWARDED)
        >> client.stops_reading
        >> instance(answer + long)
        << logged(200)
        >> client(GET)
        << client.pauses
        >> client.reads
        << client(told + long)
        << instance(GET_FORWARDED)
        << client.resumes
        >> instance(head("HTTP/1.1 204 No Content"))
        << client(head("HTTP/1.1 204 No Content", DATE))
        << logged(204)
    )


# spec: S1
def test_a_client_waits_for_an_instance_that_does_not_read() -> None:
    assert (
        uploading()
        >> client(MUCH)
        << client.pauses
        >> client(b"not read")
        >> instance.reads_some(50_000)
        << instance(MUCH[:50_000])
        >> instance.reads
        << instance(MUCH[50_000:])
        << client.resumes
        << instance(b"not read")
        >> client.breaks
        << instance.closes
        << logged(499, "client_closed_request")
    )


# spec: L3
def test_an_instance_that_stops_reading_is_given_up() -> None:
    assert (
        uploading(timeouts={"read": "5s", "response": "5s"})
        >> client(MUCH)
        << client.pauses
        >> passes(4.9)
        >> passes(0.5)
        << instance.closes
        << client.error(504, "connection_write_timeout", closing=True)
        << logged(504, "connection_write_timeout")
        << client.ends
    )


# spec: L3
def test_an_instance_that_reads_slowly_is_not() -> None:
    dialogue = uploading(timeouts={"read": "5s", "response": "5s"}) >> client(MUCH) << client.pauses
    for at in range(0, 50_000, 1000):
        dialogue = dialogue >> passes(4.5) >> instance.reads_some(1000) << instance(MUCH[at : at + 1000])
    assert dialogue >> client.breaks << client.closes << instance.closes << logged(499, "client_closed_request")


# spec: L4
def test_a_client_that_may_not_send_has_no_time_to_keep() -> None:
    dialogue = uploading(timeouts={"read": "5s", "response": "1h"}) >> client(MUCH) << client.pauses
    for at in range(0, 10_000, 1000):
        dialogue = dialogue >> passes(4.5) >> instance.reads_some(1000) << instance(MUCH[at : at + 1000])
    dialogue = dialogue >> instance.reads << instance(MUCH[10_000:]) << client.resumes >> passes(4.9) >> passes(0.5)
    assert (
        dialogue
        << instance.closes
        << client.error(408, "request_timeout", closing=True)
        << logged(408, "request_timeout")
        << client.ends
    )


def test_a_body_is_not_read_far_ahead_of_an_instance_that_is_yet_to_be_reached() -> None:
    assert (
        Dialogue()
        >> client(UPLOAD)
        << instance.connects
        >> client(b"x" * 40_000)
        << client.pauses
        >> client(b"not read yet")
        >> instance.accepts
        << instance(UPLOAD_FORWARDED + b"x" * 40_000)
        << client.resumes
        << instance(b"not read yet")
        >> client.breaks
        << instance.closes
        << logged(499, "client_closed_request")
    )


# spec: F3
def test_a_client_that_breaks_off_while_it_is_paused_is_noticed() -> None:
    assert (
        uploading()
        >> client(MUCH)
        << client.pauses
        >> client.breaks
        << client.closes
        << instance.closes
        << logged(499, "client_closed_request")
    )


# spec: F3
def test_that_an_instance_has_gone_may_show_when_it_is_written_to() -> None:
    assert (
        Dialogue()
        >> client(POST_CHUNKED)
        << instance.connects
        >> instance.accepts
        << instance(POST_CHUNKED_FORWARDED)
        >> instance.vanishes
        >> client(b"2\r\nab\r\n")
        << client.error(502, "connection_terminated", closing=True)
        << logged(502, "connection_terminated")
        << client.ends
    )


# spec: F3
def test_what_an_instance_said_before_it_broke_off_is_heard() -> None:
    refusal = ("HTTP/1.1 413 Content Too Large", "Content-Length: 0")
    assert (
        Dialogue()
        >> client(POST_CHUNKED)
        << instance.connects
        >> instance.accepts
        << instance(POST_CHUNKED_FORWARDED)
        >> together(client(b"2\r\nab\r\n"), instance(head(*refusal)), instance.vanishes)
        << client(head(*refusal, DATE, "Connection: close"))
        << instance.closes
        << logged(413)
        << client.ends
    )


# spec: F4
def test_an_instance_that_answers_before_it_has_read_all_is_not_asked_again_over_that_connection() -> None:
    nothing = "HTTP/1.1 204 No Content"
    assert (
        Dialogue()
        >> client(POST)
        << instance.connects
        >> instance.accepts
        << instance(POST_FORWARDED)
        >> instance.stops_reading
        >> client(b"body")
        >> instance(head(nothing))
        << client(head(nothing, DATE))
        << instance.closes
        << logged(204)
    )
