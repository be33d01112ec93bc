"""Answers on their way to the client, as dialogues: how each kind of body is framed, and what becomes of both
connections behind it.
"""

from __future__ import annotations

import gzip

import pytest

from tests.proxy.dialogue import (
    DATE,
    FIELDS,
    GET,
    GET_FORWARDED,
    POST,
    POST_FORWARDED,
    Dialogue,
    client,
    head,
    instance,
    logged,
    passes,
)

HEAD_REQUEST = GET.replace(b"GET", b"HEAD")
HEAD_FORWARDED = GET_FORWARDED.replace(b"GET", b"HEAD")
GET_1_0 = GET.replace(b"HTTP/1.1", b"HTTP/1.0")


def asked(request: bytes = GET, forwarded: bytes = GET_FORWARDED, **config: object) -> Dialogue:
    """A dialogue in which the instance has this request."""
    return (
        Dialogue(**config)  # type: ignore[arg-type]
        >> client(request)
        << instance.connects
        >> instance.accepts
        << instance(forwarded)
    )


# spec: F4
def test_a_body_of_known_length_goes_on_as_it_comes() -> None:
    assert (
        asked()
        >> instance(head("HTTP/1.1 200 OK", "Content-Length: 6"))
        << client(head("HTTP/1.1 200 OK", "Content-Length: 6", DATE))
        >> instance(b"abc")
        << client(b"abc")
        >> instance(b"def")
        << client(b"def")
        << logged(200)
    )


def test_a_head_and_what_comes_with_it_are_one_write() -> None:
    assert (
        asked()
        >> instance(head("HTTP/1.1 200 OK", "Content-Length: 2") + b"ok")
        << client(head("HTTP/1.1 200 OK", "Content-Length: 2", DATE) + b"ok")
        << logged(200)
    )


def test_a_head_in_pieces_waits_for_its_end() -> None:
    assert (
        asked()
        >> instance(b"HTTP/1.1 200 OK\r\nContent-Le")
        >> instance(b"ngth: 2\r\n\r")
        >> instance(b"\nok")
        << client(head("HTTP/1.1 200 OK", "Content-Length: 2", DATE) + b"ok")
        << logged(200)
    )


def test_a_date_of_the_instance_is_kept() -> None:
    assert (
        asked()
        >> instance(head("HTTP/1.1 204 No Content", "Date: then"))
        << client(head("HTTP/1.1 204 No Content", "Date: then"))
        << logged(204)
    )


# spec: F4
def test_a_chunked_body_is_chunked_anew_with_its_trailers() -> None:
    assert (
        asked()
        >> instance(head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"2\r\nab\r\n3;x=y\r\nc")
        << client(head("HTTP/1.1 200 OK", DATE, "Transfer-Encoding: chunked") + b"3\r\nabc\r\n")
        >> instance(b"de\r\n")
        << client(b"2\r\nde\r\n")
        >> instance(b"0\r\nSum: 1\r\n\r\n")
        << client(b"0\r\nSum: 1\r\n\r\n")
        << logged(200)
    )


# spec: F4
def test_a_body_that_ends_with_the_connection_goes_in_chunks() -> None:
    assert (
        asked()
        >> instance(head("HTTP/1.1 200 OK") + b"ab")
        << client(head("HTTP/1.1 200 OK", DATE, "Transfer-Encoding: chunked") + b"2\r\nab\r\n")
        >> instance.ends
        << client(b"0\r\n\r\n")
        << instance.closes
        << logged(200)
    )


# spec: F4
@pytest.mark.parametrize("framing", ["chunked", "to the end"])
def test_a_client_of_http_1_0_gets_a_body_that_ends_with_its_connection(framing: str) -> None:
    request = GET_1_0.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n")
    if framing == "chunked":
        assert (
            asked(request)
            >> instance(head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"2\r\nab\r\n")
            << client(head("HTTP/1.1 200 OK", DATE, "Connection: close") + b"ab")
            >> instance(b"0\r\nSum: 1\r\n\r\n")
            << logged(200)
            << client.closes
        )
    else:
        assert (
            asked(request)
            >> instance(head("HTTP/1.1 200 OK") + b"ab")
            << client(head("HTTP/1.1 200 OK", DATE, "Connection: close") + b"ab")
            >> instance.ends
            << instance.closes
            << logged(200)
            << client.closes
        )


# spec: F4
def test_a_client_of_http_1_0_keeps_its_connection_where_the_length_is_known() -> None:
    assert (
        asked(GET_1_0.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n"))
        >> instance(head("HTTP/1.1 200 OK", "Content-Length: 2") + b"ok")
        << client(head("HTTP/1.1 200 OK", "Content-Length: 2", DATE, "Connection: keep-alive") + b"ok")
        << logged(200)
        >> client(GET)
        << instance(GET_FORWARDED)
        >> client.breaks
        << instance.closes
        << logged(499, "client_closed_request")
    )


# spec: F4
@pytest.mark.parametrize("fields", [("Content-Length: 5",), ("Transfer-Encoding: chunked",), ()])
def test_an_answer_to_head_is_over_with_its_head(fields: tuple[str, ...]) -> None:
    told = [field for field in fields if field.startswith("Content")]
    assert (
        asked(HEAD_REQUEST, HEAD_FORWARDED)
        >> instance(head("HTTP/1.1 200 OK", *fields))
        << client(head("HTTP/1.1 200 OK", *told, DATE))
        << logged(200)
        >> client(HEAD_REQUEST)
        << instance(HEAD_FORWARDED)
        >> instance(head("HTTP/1.1 404 Not Found"))
        << client(head("HTTP/1.1 404 Not Found", DATE))
        << logged(404)
    )


# spec: F4
def test_204_and_304_have_no_body() -> None:
    assert (
        asked()
        >> instance(head("HTTP/1.1 204 No Content", "Content-Length: 0"))
        << client(head("HTTP/1.1 204 No Content", DATE))
        << logged(204)
        >> client(GET)
        << instance(GET_FORWARDED)
        >> instance(head("HTTP/1.1 304 Not Modified", "Content-Length: 7"))
        << client(head("HTTP/1.1 304 Not Modified", "Content-Length: 7", DATE))
        << logged(304)
    )


# spec: F5
def test_bytes_behind_an_answer_cost_the_instance_its_connection() -> None:
    assert (
        asked()
        >> instance(head("HTTP/1.1 204 No Content") + b"more")
        << client(head("HTTP/1.1 204 No Content", DATE))
        << instance.closes
        << logged(204)
        >> client(GET)
        << instance.number(2).connects
        >> instance.number(2).accepts
        << instance.number(2)(GET_FORWARDED)
        >> instance.number(2)(head("HTTP/1.1 204 No Content"))
        << client(head("HTTP/1.1 204 No Content", DATE))
        << logged(204)
    )


# spec: F2
def test_an_instance_that_closes_is_connected_to_again() -> None:
    assert (
        asked()
        >> instance(head("HTTP/1.1 200 OK", "Content-Length: 0", "Connection: close"))
        << client(head("HTTP/1.1 200 OK", "Content-Length: 0", DATE))
        << instance.closes
        << logged(200)
    )


# spec: F4
def test_a_client_that_asks_for_it_gets_its_connection_closed() -> None:
    assert (
        asked(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        >> instance(head("HTTP/1.1 200 OK", "Content-Length: 2") + b"ok")
        << client(head("HTTP/1.1 200 OK", "Content-Length: 2", DATE, "Connection: close") + b"ok")
        << logged(200)
        << client.closes
    )


# spec: F4
def test_an_early_answer_ends_both_connections() -> None:
    # The rest of the request's body is read and thrown away, so that no reset takes the answer from the client.
    assert (
        asked(POST + b"ab", POST_FORWARDED + b"ab")
        >> instance(head("HTTP/1.1 413 Content Too Large", "Content-Length: 0"))
        << client(head("HTTP/1.1 413 Content Too Large", "Content-Length: 0", DATE, "Connection: close"))
        << instance.closes
        << logged(413)
        << client.ends
        >> client(b"cd")
        >> client.ends
    )


# spec: F4
def test_an_answer_that_begins_early_may_end_late() -> None:
    assert (
        asked(POST + b"ab", POST_FORWARDED + b"ab")
        >> instance(head("HTTP/1.1 200 OK", "Content-Length: 4") + b"AB")
        << client(head("HTTP/1.1 200 OK", "Content-Length: 4", DATE, "Connection: close") + b"AB")
        >> client(b"cd")
        << instance(b"cd")
        >> instance(b"CD")
        << client(b"CD")
        << logged(200)
        << client.closes
    )


# spec: F3
def test_a_body_that_is_cut_short_is_cut_short_for_the_client() -> None:
    assert (
        asked()
        >> instance(head("HTTP/1.1 200 OK", "Content-Length: 6") + b"abc")
        << client(head("HTTP/1.1 200 OK", "Content-Length: 6", DATE) + b"abc")
        >> instance.ends
        << instance.closes
        << client.closes
        << logged(200, "http_response_incomplete")
    )


# spec: F3
def test_a_body_whose_connection_breaks_is_cut_short_too() -> None:
    assert (
        asked()
        >> instance(head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n")
        << client(head("HTTP/1.1 200 OK", DATE, "Transfer-Encoding: chunked") + b"3\r\nabc\r\n")
        >> instance.breaks
        << client.closes
        << logged(200, "http_response_incomplete")
    )


# spec: F3
def test_a_client_of_http_1_0_is_told_by_a_reset() -> None:
    # An orderly end of the connection would be the end of the body.
    assert (
        asked(GET_1_0)
        >> instance(head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n")
        << client(head("HTTP/1.1 200 OK", DATE, "Connection: close") + b"abc")
        >> instance.ends
        << instance.closes
        << client.breaks
        << logged(200, "http_response_incomplete")
    )


# spec: F5
def test_a_chunked_body_that_cannot_be_read_is_cut_short() -> None:
    assert (
        asked()
        >> instance(head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"2\r\nab\r\n")
        << client(head("HTTP/1.1 200 OK", DATE, "Transfer-Encoding: chunked") + b"2\r\nab\r\n")
        >> instance(b"no size\r\n")
        << instance.closes
        << client.closes
        << logged(200, "http_protocol_error")
    )


# spec: F5, E1
def test_a_chunked_body_that_begins_with_garbage_is_an_error_reply() -> None:
    assert (
        asked()
        >> instance(head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"no size\r\n")
        << instance.closes
        << client.error(502, "http_protocol_error")
        << logged(502, "http_protocol_error")
    )


# spec: F4
def test_interim_answers_go_on_to_who_knows_them() -> None:
    assert (
        asked()
        >> instance(head("HTTP/1.1 103 Early Hints", "Link: </a>"))
        << client(head("HTTP/1.1 103 Early Hints", "Link: </a>"))
        >> instance(head("HTTP/1.1 102 Processing") + head("HTTP/1.1 204 No Content"))
        << client(head("HTTP/1.1 102 Processing"))
        << client(head("HTTP/1.1 204 No Content", DATE))
        << logged(204)
    )


# spec: F4
def test_interim_answers_do_not_go_to_who_does_not() -> None:
    assert (
        asked(GET_1_0)
        >> instance(head("HTTP/1.1 103 Early Hints", "Link: </a>"))
        >> instance(head("HTTP/1.1 204 No Content"))
        << client(head("HTTP/1.1 204 No Content", DATE, "Connection: close"))
        << logged(204)
        << client.closes
    )


# spec: F5
def test_a_flood_of_interim_answers_ends() -> None:
    flood = asked() >> instance(head("HTTP/1.1 102 Processing") * 1000)
    for _ in range(200):
        flood = flood << client(head("HTTP/1.1 102 Processing"))
    assert flood << instance.closes << client.error(502, "http_protocol_error") << logged(502, "http_protocol_error")


# spec: C1, C3
def test_a_body_that_is_compressed_waits_for_its_rest_a_moment() -> None:
    request = GET.replace(b"\r\n\r\n", b"\r\nAccept-Encoding: gzip\r\n\r\n")
    forwarded = head("GET / HTTP/1.1", "Host: app.example", "X-Request-Id: r", "Accept-Encoding: gzip", *FIELDS)
    text = head("HTTP/1.1 200 OK", "Content-Type: text/plain", "Content-Length: 4000")
    dialogue = asked(request, forwarded) >> instance(text + b"a" * 2000)
    dialogue = dialogue >> passes(0.02) >> instance(b"a" * 2000)
    whole = dialogue.stage.deeds[0].data
    lines, _, body = whole.partition(b"\r\n\r\n")
    assert b"Content-Encoding: gzip" in lines
    assert b"Content-Length: %d" % len(body) in lines
    assert dialogue << client(whole) << logged(200)


# spec: C3
def test_what_is_kept_back_goes_on_when_the_rest_takes_its_time() -> None:
    request = GET.replace(b"\r\n\r\n", b"\r\nAccept-Encoding: gzip\r\n\r\n")
    forwarded = head("GET / HTTP/1.1", "Host: app.example", "X-Request-Id: r", "Accept-Encoding: gzip", *FIELDS)
    text = head("HTTP/1.1 200 OK", "Content-Type: text/plain", "Content-Length: 4000")
    dialogue = asked(request, forwarded) >> instance(text + b"a" * 2000) >> passes(0.04)
    begun = dialogue.stage.deeds[0].data
    assert b"\r\nTransfer-Encoding: chunked\r\n" in begun
    dialogue = dialogue << client(begun) >> instance(b"a" * 2000)
    assert dialogue.stage.deeds[0].data.endswith(b"\r\n0\r\n\r\n")
    assert dialogue << client(dialogue.stage.deeds[0].data) << logged(200)


# spec: E1, C3
def test_an_instance_that_breaks_off_before_anything_went_is_answered_for() -> None:
    request = GET.replace(b"\r\n\r\n", b"\r\nAccept-Encoding: gzip\r\n\r\n")
    forwarded = head("GET / HTTP/1.1", "Host: app.example", "X-Request-Id: r", "Accept-Encoding: gzip", *FIELDS)
    text = head("HTTP/1.1 200 OK", "Content-Type: text/plain", "Content-Length: 4000")
    assert (
        asked(request, forwarded)
        >> instance(text + b"a" * 2000)
        >> instance.ends
        << instance.closes
        << client.error(502, "http_response_incomplete")
        << logged(502, "http_response_incomplete")
    )


# spec: F2
def test_an_instance_may_say_for_how_long_it_keeps_a_connection() -> None:
    assert (
        asked()
        >> instance(head("HTTP/1.1 204 No Content", "Connection: keep-alive", "Keep-Alive: timeout=20"))
        << client(head("HTTP/1.1 204 No Content", DATE))
        << logged(204)
        >> passes(9)
        >> client(POST + b"body")
        << instance(POST_FORWARDED + b"body")
        >> instance(head("HTTP/1.1 204 No Content"))
        << client(head("HTTP/1.1 204 No Content", DATE))
        << logged(204)
    )


# spec: F1
@pytest.mark.parametrize(
    ("unhealthy", "seconds"), [({"unhealthy_status": [500]}, 0.0), ({"unhealthy_latency": "2s"}, 2.3)]
)
def test_an_answer_that_counts_as_a_failure(unhealthy: dict[str, object], seconds: float) -> None:
    status = "HTTP/1.1 500 Internal Server Error"
    dialogue = asked(instances=2, production={"max_fails": 1, **unhealthy})
    if seconds:
        dialogue = dialogue >> passes(seconds)
    assert (
        dialogue
        >> instance(head(status, "Content-Length: 0"))
        << client(head(status, "Content-Length: 0", DATE))
        << logged(500)
    )
    assert [one.failing for one in dialogue.stage.environment.instances] == [True, False]


COMPRESSED = GET.replace(b"\r\n\r\n", b"\r\nAccept-Encoding: gzip\r\n\r\n")
COMPRESSED_FORWARDED = head("GET / HTTP/1.1", "Host: app.example", "X-Request-Id: r", "Accept-Encoding: gzip", *FIELDS)


# spec: C1, C3
def test_a_body_of_unknown_length_is_compressed_piece_by_piece() -> None:
    dialogue = asked(COMPRESSED, COMPRESSED_FORWARDED)
    dialogue = dialogue >> instance(head("HTTP/1.1 200 OK", "Content-Type: text/plain") + b"first")
    first = dialogue.stage.deeds[0].data
    told = ("Content-Type: text/plain", "Vary: Accept-Encoding", "Content-Encoding: gzip")
    lines = first.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    assert set(told) < set(lines)
    dialogue = dialogue << client(first) >> instance(b"second")
    second = dialogue.stage.deeds[0].data
    dialogue = dialogue << client(second) >> instance.ends
    last = dialogue.stage.deeds[0].data
    body = first.partition(b"\r\n\r\n")[2] + second + last
    assert gzip.decompress(dechunked(body)) == b"firstsecond"
    assert dialogue << client(last) << instance.closes << logged(200)


def dechunked(body: bytes) -> bytes:
    whole = b""
    while body != b"0\r\n\r\n":
        size, _, rest = body.partition(b"\r\n")
        whole += rest[: int(size, 16)]
        body = rest[int(size, 16) + 2 :]
    return whole


# spec: C1
def test_a_head_says_what_get_would_get() -> None:
    asked_head = COMPRESSED.replace(b"GET", b"HEAD"), COMPRESSED_FORWARDED.replace(b"GET", b"HEAD")
    dialogue = asked(*asked_head) >> instance(
        head("HTTP/1.1 200 OK", "Content-Type: text/plain", "Content-Length: 4000")
    )
    told = dialogue.stage.deeds[0].data
    assert b"\r\nContent-Encoding: gzip\r\n" in told
    assert b"\r\nContent-Length:" not in told
    assert dialogue << client(told) << logged(200)


# spec: C1
def test_a_client_that_accepts_no_coding_is_told_that_others_do() -> None:
    plain = ("HTTP/1.1 200 OK", "Content-Type: text/plain", "Content-Length: 2")
    dialogue = asked() >> instance(head(*plain[:2], "Content-Length: 2000") + b"x" * 2000)
    told = dialogue.stage.deeds[0].data
    assert told.endswith(b"\r\n\r\n" + b"x" * 2000)
    assert b"\r\nVary: Accept-Encoding\r\n" in told
    assert b"Content-Encoding" not in told
    assert dialogue << client(told) << logged(200)


# spec: F5, L4
def test_interim_answers_that_nobody_reads_make_the_instance_wait() -> None:
    hints = head("HTTP/1.1 103 Early Hints", "Link: " + "x" * 7000)
    dialogue = asked() >> client.stops_reading
    for _ in range(9):
        dialogue = dialogue >> instance(hints)
    dialogue = dialogue >> instance(hints) << instance.pauses >> client.reads << client(hints * 10)
    assert (
        dialogue
        << instance.resumes
        >> instance(head("HTTP/1.1 204 No Content"))
        << client(head("HTTP/1.1 204 No Content", DATE))
        << logged(204)
    )
