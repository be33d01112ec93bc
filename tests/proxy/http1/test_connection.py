"""A client's connection from one request to the next, as dialogues: heads in pieces, pipelines, times, refusals, and
how it ends.
"""

from __future__ import annotations

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
    drains,
    head,
    instance,
    is_cut,
    logged,
    passes,
)

NOTHING = head("HTTP/1.1 204 No Content")
NOTHING_TOLD = head("HTTP/1.1 204 No Content", DATE)


def served(**config: object) -> Dialogue:
    """One request has been answered."""
    return (
        Dialogue(**config)  # type: ignore[arg-type]
        >> client(GET)
        << instance.connects
        >> instance.accepts
        << instance(GET_FORWARDED)
        >> instance(NOTHING)
        << client(NOTHING_TOLD)
        << logged(204)
    )


# spec: F4
def test_a_head_may_come_byte_by_byte() -> None:
    dialogue = Dialogue()
    for at in range(len(GET)):
        dialogue = dialogue >> client(GET[at : at + 1])
    assert (
        dialogue
        << instance.connects
        >> instance.accepts
        << instance(GET_FORWARDED)
        >> instance(NOTHING)
        << client(NOTHING_TOLD)
        << logged(204)
    )


# spec: F4
def test_one_request_follows_another() -> None:
    dialogue = served()
    for _ in range(3):
        dialogue = dialogue >> client(GET) << instance(GET_FORWARDED) >> instance(NOTHING)
        dialogue = dialogue << client(NOTHING_TOLD) << logged(204)
    assert dialogue


# spec: F4
def test_requests_that_come_together_are_answered_in_their_order() -> None:
    assert (
        Dialogue()
        >> client(POST + b"body" + GET + GET[:10])
        << instance.connects
        >> instance.accepts
        << instance(POST_FORWARDED + b"body")
        >> instance(NOTHING)
        << client(NOTHING_TOLD)
        << logged(204)
        << instance(GET_FORWARDED)
        >> client(GET[10:])
        >> instance(NOTHING)
        << client(NOTHING_TOLD)
        << logged(204)
        << instance(GET_FORWARDED)
        >> instance(NOTHING)
        << client(NOTHING_TOLD)
        << logged(204)
    )


# spec: L2
def test_who_sends_far_ahead_of_its_turn_has_to_wait() -> None:
    ahead = GET * 700  # more than 32 KiB
    assert (
        Dialogue()
        >> client(GET)
        << instance.connects
        >> client(ahead)
        << client.pauses
        >> client.breaks
        << client.closes
        << instance.closes
        << logged(499, "client_closed_request")
    )


# spec: F4
def test_a_request_behind_an_error_reply_is_answered_too() -> None:
    assert (
        Dialogue()
        >> client(GET.replace(b"app.", b"no.") + GET)
        << client.error(404, "destination_not_found")
        << logged(404, "destination_not_found")
        << instance.connects
        >> instance.accepts
        << instance(GET_FORWARDED)
        >> instance(NOTHING)
        << client(NOTHING_TOLD)
        << logged(204)
    )


# Times


# spec: L4
def test_a_connection_that_says_nothing_has_the_time_of_a_head() -> None:
    assert Dialogue(timeouts={"head": "5s"}) >> client.connects >> passes(4.9) >> passes(0.5) << client.closes


# spec: L4
def test_the_time_of_a_head_runs_from_its_first_byte() -> None:
    assert (
        Dialogue(timeouts={"head": "5s"})
        >> client(GET[:10])
        >> passes(3)
        >> client(GET[10:20])
        >> passes(1.9)
        >> passes(0.5)
        << client.error(408, "request_timeout", closing=True)
        << logged(408, "request_timeout")
        << client.ends
    )


# spec: L4
def test_an_idle_connection_is_closed_without_a_word() -> None:
    assert served(timeouts={"idle": "5s"}) >> passes(4.9) >> passes(0.5) << client.closes


# spec: L4
def test_a_head_that_begins_ends_the_idle_time() -> None:
    assert (
        served(timeouts={"idle": "5s", "head": "5s"})
        >> passes(4)
        >> client(GET[:10])
        >> passes(4)
        >> client(GET[10:])
        << instance(GET_FORWARDED)
        >> instance(NOTHING)
        << client(NOTHING_TOLD)
        << logged(204)
    )


# spec: L4
def test_who_is_listened_to_behind_the_last_word_has_to_end_some_time() -> None:
    assert (
        Dialogue()
        >> client(b"no request\r\n\r\n")
        << client.error(400, "http_request_error", closing=True)
        << logged(400, "http_request_error")
        << client.ends
        >> passes(5.5)
        << client.closes
    )


# What cannot be read


# spec: F5, E1
@pytest.mark.parametrize(
    ("said", "status", "cause"),
    [
        (b"\x16\x03\x01\r\n\r\n", 400, "http_request_error"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "http_request_error"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "http_request_error"),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 501, "method_not_supported"),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "http_version_not_supported"),
        (b"GET /" + b"a" * 9000, 414, "request_line_too_long"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nCookie: " + b"a" * 9000, 431, "request_header_too_large"),
    ],
)
def test_what_is_no_request_ends_the_connection(said: bytes, status: int, cause: str) -> None:
    assert (
        Dialogue()
        >> client(said)
        << client.error(status, cause, closing=True)
        << logged(status, cause)
        << client.ends
        >> client(b"and more")
        >> client.ends
    )


# spec: F5
def test_a_request_that_cannot_be_read_behind_one_that_can() -> None:
    assert (
        Dialogue()
        >> client(GET + b"no request\r\n\r\n")
        << instance.connects
        >> instance.accepts
        << instance(GET_FORWARDED)
        >> instance(NOTHING)
        << client(NOTHING_TOLD)
        << logged(204)
        << client.error(400, "http_request_error", closing=True)
        << logged(400, "http_request_error")
        << client.ends
    )


# spec: E1, E3
@pytest.mark.parametrize(("said", "ending"), [(GET, client.closes), (b"get http\r\n\r\n", client.ends)])
def test_plain_http_where_tls_is_spoken(said: bytes, ending: Word) -> None:
    assert (
        Dialogue(scheme="https")
        >> client.speaks_plainly
        >> client(said)
        << client.error(400, "plain_http_on_https_port", closing=True)
        << logged(400, "plain_http_on_https_port")
        << ending
    )


# spec: E1, E3, L4
def test_plain_http_whose_head_is_never_finished() -> None:
    assert (
        Dialogue(scheme="https", timeouts={"head": "5s"})
        >> client.speaks_plainly
        >> client(GET[:-2])
        >> passes(4.9)
        >> passes(0.5)
        << client.error(400, "plain_http_on_https_port", closing=True)
        << logged(400, "plain_http_on_https_port")
        << client.ends
    )


# spec: L4
def test_a_handshake_that_does_not_go_on() -> None:
    assert Dialogue(scheme="https", timeouts={"handshake": "5s"}) >> client.connects >> passes(5.5) << client.closes


# Its end


# spec: F4
@pytest.mark.parametrize("said", [b"", GET[:10]])
def test_a_client_that_shuts_its_side_without_a_request(said: bytes) -> None:
    dialogue = Dialogue() >> client.connects
    if said:
        dialogue = dialogue >> client(said)
    assert dialogue >> client.ends << client.closes


# spec: F4
def test_requests_that_came_before_the_client_shut_its_side_are_answered() -> None:
    assert (
        Dialogue()
        >> client(GET + GET)
        << instance.connects
        >> client.ends
        >> instance.accepts
        << instance(GET_FORWARDED)
        >> instance(NOTHING)
        << client(NOTHING_TOLD)
        << logged(204)
        << instance(GET_FORWARDED)
        >> instance(NOTHING)
        << client(NOTHING_TOLD)
        << logged(204)
        << client.closes
    )


def test_a_client_that_breaks_off_between_requests_leaves_no_line() -> None:
    assert served() >> client.breaks


# spec: L6, E3
def test_a_head_that_is_half_sent_when_a_drain_begins() -> None:
    assert (
        Dialogue()
        >> client(GET[:-2])
        >> drains
        >> passes(1.5)
        << client.error(503, "proxy_stopped", closing=True)
        << logged(503, "proxy_stopped")
        << client.ends
    )


# spec: L6
def test_a_head_that_is_finished_in_time_is_answered_in_a_drain() -> None:
    assert (
        Dialogue()
        >> client(GET[:-2])
        >> drains
        >> passes(0.5)
        >> client(GET[-2:])
        << instance.connects
        >> instance.accepts
        << instance(GET_FORWARDED)
        >> instance(NOTHING)
        << client(head("HTTP/1.1 204 No Content", DATE, "Connection: close"))
        << logged(204)
        << client.closes
    )


# spec: L6, E3
def test_a_head_that_is_half_sent_when_the_time_to_end_is_over() -> None:
    assert (
        Dialogue()
        >> client(GET[:-2])
        >> is_cut
        << client.error(503, "proxy_stopped", closing=True)
        << logged(503, "proxy_stopped")
        << client.ends
    )


# spec: L6
def test_an_idle_connection_is_closed_when_the_time_to_end_is_over() -> None:
    assert served() >> is_cut << client.closes


# spec: L5
def test_a_connection_that_is_too_many_is_told_so() -> None:
    second = client.number(2)
    assert (
        Dialogue(limits={"client_connections": 1})
        >> client.connects
        >> second.connects
        << second.error(429, "client_connection_limit_reached", closing=True)
        << logged(429, "client_connection_limit_reached")
        << second.ends
        >> second(GET)
        >> passes(1.5)
        << second.closes
        >> client(GET)
        << instance.connects
        >> instance.accepts
        << instance(GET_FORWARDED)
        >> instance(NOTHING)
        << client(NOTHING_TOLD)
        << logged(204)
    )


# spec: L5
def test_the_connection_that_has_been_idle_longest_makes_room() -> None:
    second = client.number(2)
    dialogue = served(limits={"connections": 1}) >> passes(3) >> second.connects << client.closes
    assert (
        dialogue >> second(GET) << instance(GET_FORWARDED) >> instance(NOTHING) << second(NOTHING_TOLD) << logged(204)
    )


def test_many_requests_in_one_go_are_answered_in_several_turns() -> None:
    lost = head("GET / HTTP/1.1", "Host: no.example", "X-Request-Id: r")
    dialogue = Dialogue() >> client(lost * 100)
    replies = [deed.data for deed in dialogue.stage.deeds if deed.word == "data"]
    assert len(replies) == 100
    assert len(set(replies)) == 1
    # Between two turns, in which others have theirs, nothing more is read.
    words = [deed.word for deed in dialogue.stage.deeds]
    assert words.count("pauses") == words.count("resumes") == 3
    assert words[:64].count("data") == 32
    assert words[64] == "pauses"
    dialogue.stage.deeds.clear()
    assert dialogue


# spec: L4
def test_a_last_answer_that_is_read_slowly_is_not_cut_off() -> None:
    body = b"x" * 70_000
    closing = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    told = head("HTTP/1.1 200 OK", "Content-Length: 70000", DATE, "Connection: close") + body
    dialogue = (
        Dialogue(timeouts={"read": "5s"})
        >> client(closing)
        << instance.connects
        >> instance.accepts
        << instance(GET_FORWARDED)
        >> client.stops_reading
        >> instance(head("HTTP/1.1 200 OK", "Content-Length: 70000") + body)
        << logged(200)
    )
    dialogue = dialogue >> client.reads_some(1000)
    first = dialogue.stage.deeds[0].data  # shorter here, by its date
    assert told.startswith(first)
    told = told.removeprefix(first)
    dialogue = dialogue << client(first)
    for at in range(0, 10_000, 1000):
        dialogue = dialogue >> passes(4.5) >> client.reads_some(1000) << client(told[at : at + 1000])
    assert dialogue >> client.reads << client(told[10_000:]) << client.closes


# spec: L4
def test_a_last_answer_that_is_not_read_is_cut_off() -> None:
    closing = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert (
        Dialogue(timeouts={"read": "5s"})
        >> client(closing)
        << instance.connects
        >> instance.accepts
        << instance(GET_FORWARDED)
        >> client.stops_reading
        >> instance(head("HTTP/1.1 200 OK", "Content-Length: 2") + b"ok")
        << logged(200)
        >> passes(4.9)
        >> passes(0.5)
        << client.closes
    )


# spec: L6
def test_an_answer_that_is_still_being_read_when_a_drain_begins() -> None:
    told = head("HTTP/1.1 200 OK", "Content-Length: 2", DATE) + b"ok"
    assert (
        Dialogue()
        >> client(GET)
        << instance.connects
        >> instance.accepts
        << instance(GET_FORWARDED)
        >> client.stops_reading
        >> instance(head("HTTP/1.1 200 OK", "Content-Length: 2") + b"ok")
        << logged(200)
        >> drains
        >> passes(2)
        >> client.reads
        << client(told)
        << client.ends
        >> client.ends
    )
