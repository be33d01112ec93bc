"""What an exchange decides about a request, and what it does when its client leaves, as dialogues."""

from __future__ import annotations

import pytest

from tests.proxy.dialogue import (
    DATE,
    FIELDS,
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
)

OK = head("HTTP/1.1 200 OK", "Content-Length: 2") + b"ok"
OK_TOLD = head("HTTP/1.1 200 OK", "Content-Length: 2", DATE) + b"ok"


def connecting(request: bytes = GET) -> Dialogue:
    return Dialogue() >> client(request) << instance.connects


def forwarding(request: bytes = GET, forwarded: bytes = GET_FORWARDED, **config: object) -> Dialogue:
    return (
        Dialogue(**config)  # type: ignore[arg-type]
        >> client(request)
        << instance.connects
        >> instance.accepts
        << instance(forwarded)
    )


def responding() -> Dialogue:
    return (
        forwarding()
        >> instance(head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"1\r\na\r\n")
        << client(head("HTTP/1.1 200 OK", DATE, "Transfer-Encoding: chunked") + b"1\r\na\r\n")
    )


# Requests


# spec: D2
def test_a_host_that_no_app_has() -> None:
    assert (
        Dialogue()
        >> client(GET.replace(b"app.example", b"other.example"))
        << client.error(404, "destination_not_found")
        << logged(404, "destination_not_found")
        >> client(GET)  # the connection stays
        << instance.connects
        >> instance.accepts
        << instance(GET_FORWARDED)
        >> instance(OK)
        << client(OK_TOLD)
        << logged(200)
    )


# spec: H5
def test_a_request_that_goes_in_a_circle_ends() -> None:
    looping = head("GET / HTTP/1.1", "Host: app.example", "Via: " + ", ".join(["1.1 lb"] * 5))
    assert (
        Dialogue() >> client(looping) << client.error(508, "proxy_loop_detected") << logged(508, "proxy_loop_detected")
    )


# spec: L5
def test_a_client_that_asks_too_often() -> None:
    assert (
        Dialogue(limits={"client_rate": "1/m"})
        >> client(GET)
        << instance.connects
        >> instance.accepts
        << instance(GET_FORWARDED)
        >> instance(OK)
        << client(OK_TOLD)
        << logged(200)
        >> client(GET)
        << client.error(429, "client_rate_limit_reached")
        << logged(429, "client_rate_limit_reached")
    )


# spec: L2
@pytest.mark.parametrize("size", [b"11", b"99999999999"])
def test_a_body_that_says_it_is_too_large_is_not_waited_for(size: bytes) -> None:
    assert (
        Dialogue(limits={"body": 10})
        >> client(POST.replace(b"Length: 4", b"Length: " + size) + b"abcd")
        << client.error(413, "request_body_too_large", closing=True)
        << logged(413, "request_body_too_large")
        << client.ends
    )


# spec: L2
def test_a_chunked_body_that_turns_out_too_large() -> None:
    assert (
        forwarding(POST_CHUNKED + b"4\r\nabcd\r\n", POST_CHUNKED_FORWARDED + b"4\r\nabcd\r\n", limits={"body": 5})
        >> client(b"4\r\nefgh\r\n")
        << instance.closes
        << client.error(413, "request_body_too_large", closing=True)
        << logged(413, "request_body_too_large")
        << client.ends
    )


# spec: F5
def test_a_chunked_body_that_cannot_be_read() -> None:
    assert (
        forwarding(POST_CHUNKED + b"4\r\nabcd\r\n", POST_CHUNKED_FORWARDED + b"4\r\nabcd\r\n")
        >> client(b"no size\r\n")
        << instance.closes
        << client.error(400, "http_request_error", closing=True)
        << logged(400, "http_request_error")
        << client.ends
    )


# spec: F4
def test_a_body_goes_on_as_it_comes() -> None:
    assert (
        forwarding(POST + b"ab", POST_FORWARDED + b"ab")
        >> client(b"c")
        << instance(b"c")
        >> client(b"d")
        << instance(b"d")
        >> instance(OK)
        << client(OK_TOLD)
        << logged(200)
    )


# spec: F4
def test_a_chunked_body_is_chunked_anew_with_its_trailers() -> None:
    assert (
        forwarding(POST_CHUNKED + b"1\r\na\r\n2;x=y\r\nb", POST_CHUNKED_FORWARDED + b"2\r\nab\r\n")
        >> client(b"c\r\n")
        << instance(b"1\r\nc\r\n")
        >> client(b"0\r\nSum: 1\r\n\r\n")
        << instance(b"0\r\nSum: 1\r\n\r\n")
        >> instance(OK)
        << client(OK_TOLD)
        << logged(200)
    )


def test_what_comes_while_it_connects_goes_with_the_head() -> None:
    assert (
        connecting(POST)
        >> client(b"ab")
        >> client(b"cd")
        >> instance.accepts
        << instance(POST_FORWARDED + b"abcd")
        >> instance(OK)
        << client(OK_TOLD)
        << logged(200)
    )


# spec: F4
@pytest.mark.parametrize("method", ["OPTIONS", "DELETE", "TRACE", "PROPFIND"])
def test_any_method_goes_on(method: str) -> None:
    line = f"{method} /path?query HTTP/1.1"
    assert (
        forwarding(
            head(line, "Host: app.example", "X-Request-Id: r"),
            head(line, "Host: app.example", "X-Request-Id: r", *FIELDS),
        )
        >> instance(OK)
        << client(OK_TOLD)
        << logged(200)
    )


# spec: H5
def test_a_request_without_an_identifier_gets_one() -> None:
    assert (
        forwarding(
            head("GET / HTTP/1.1", "Host: app.example"),
            head("GET / HTTP/1.1", "Host: app.example", *FIELDS, "X-Request-Id: new"),
        )
        >> instance(OK)
        << client(OK_TOLD)
        << logged(200)
    )


# The client leaves


# spec: F3
def test_a_client_that_breaks_off_while_it_connects() -> None:
    assert connecting() >> client.breaks << instance.closes << logged(499, "client_closed_request")


# spec: F3
def test_a_client_that_breaks_off_before_an_answer() -> None:
    assert forwarding() >> client.breaks << instance.closes << logged(499, "client_closed_request")


# spec: F3
def test_a_client_that_breaks_off_in_the_middle_of_an_answer() -> None:
    assert responding() >> client.breaks << instance.closes << logged(200, "client_closed_request")


# spec: F3
def test_that_a_client_has_gone_may_show_when_it_is_written_to() -> None:
    assert (
        responding()
        >> client.vanishes
        >> instance(b"1\r\nb\r\n")
        << instance.closes
        << logged(200, "client_closed_request")
    )


# spec: F3
def test_a_client_that_leaves_in_the_middle_of_its_body() -> None:
    assert (
        forwarding(POST + b"ab", POST_FORWARDED + b"ab")
        >> client.ends
        << client.closes
        << instance.closes
        << logged(499, "client_closed_request")
    )


# spec: F3
def test_one_that_does_so_before_the_instance_is_reached() -> None:
    # The rest may be here already, unread: that shows when the instance can take it.
    assert (
        connecting(POST + b"ab")
        >> client.ends
        >> instance.accepts
        << instance(POST_FORWARDED + b"ab")
        << client.closes
        << instance.closes
        << logged(499, "client_closed_request")
    )


# spec: F4
def test_a_client_that_shuts_its_side_behind_its_request_is_answered() -> None:
    assert (
        forwarding()
        >> client.ends
        >> instance(OK)
        << client(head("HTTP/1.1 200 OK", "Content-Length: 2", DATE) + b"ok")
        << logged(200)
        << client.closes
    )


# spec: F3, F4
def test_a_client_that_shut_its_side_is_tried_now_and_then() -> None:
    # A byte of what it would get anyway; one that has left answers it with a reset.
    assert (
        forwarding()
        >> client.ends
        >> passes(1.3)
        << client(b"H")
        >> passes(10.3)
        << client(b"T")
        >> instance(OK)
        << client(OK_TOLD[2:])
        << logged(200)
        << client.closes
    )


# spec: F3
def test_a_client_that_shut_its_side_and_is_gone_ends_its_request() -> None:
    assert (
        forwarding()
        >> client.ends
        >> passes(1.3)
        << client(b"H")
        >> client.breaks
        << instance.closes
        << logged(499, "client_closed_request")
    )


# spec: F3, F4
def test_in_a_chunked_answer_it_is_tried_with_a_zero() -> None:
    assert (
        responding()
        >> client.ends
        >> passes(1.3)
        << client(b"0")
        >> instance(b"1\r\nb\r\n0\r\n\r\n")
        << client(b"1\r\nb\r\n0\r\n\r\n")
        << logged(200)
        << client.closes
    )


# spec: E1, F4
def test_what_it_was_tried_with_is_not_sent_again_in_another_head() -> None:
    # The head of the instance's answer is ready when its body turns out to be none: an error reply takes its place.
    assert (
        forwarding()
        >> client.ends
        >> passes(1.3)
        << client(b"H")
        >> instance(head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"no size\r\n")
        << instance.closes
        << client(_rest_of_502())
        << logged(502, "http_protocol_error")
        << client.closes
    )


def _rest_of_502() -> bytes:
    """The reply of `test_response`'s garbage, but for its first byte."""
    dialogue = forwarding() >> instance(head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"no size\r\n")
    whole = dialogue.stage.deeds[1].data
    assert dialogue << instance.closes << client.error(502, "http_protocol_error") << logged(502, "http_protocol_error")
    return whole[1:]


# spec: F3
def test_who_leaves_an_event_stream_has_not_broken_off() -> None:
    events = ("Content-Type: text/event-stream", "Cache-Control: no-transform", "Transfer-Encoding: chunked")
    assert (
        forwarding()
        >> instance(head("HTTP/1.1 200 OK", *events) + b"1\r\na\r\n")
        << client(head("HTTP/1.1 200 OK", *events[:2], DATE, events[2]) + b"1\r\na\r\n")
        >> client.breaks
        << instance.closes
        << logged(200)
    )


# spec: L4
def test_a_client_that_does_not_finish_its_body() -> None:
    assert (
        forwarding(POST + b"ab", POST_FORWARDED + b"ab", timeouts={"read": "5s"})
        >> passes(4)
        >> client(b"c")
        << instance(b"c")
        >> passes(4.9)
        >> passes(0.4)
        << instance.closes
        << client.error(408, "request_timeout", closing=True)
        << logged(408, "request_timeout")
        << client.ends
    )
