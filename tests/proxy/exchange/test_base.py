"""How exchanges end when the service does, as dialogues: in each phase, and what it leaves of both connections."""

from __future__ import annotations

from tests.proxy.dialogue import (
    DATE,
    GET,
    GET_FORWARDED,
    POST,
    POST_FORWARDED,
    Dialogue,
    client,
    drains,
    head,
    instance,
    is_cut,
    logged,
    passes,
)

GET_1_0 = GET.replace(b"HTTP/1.1", b"HTTP/1.0")
CHUNKED = head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")


def forwarding() -> Dialogue:
    return Dialogue() >> client(GET) << instance.connects >> instance.accepts << instance(GET_FORWARDED)


# spec: L6
def test_what_is_under_way_when_a_drain_begins_is_answered_and_then_closed() -> None:
    assert (
        forwarding()
        >> drains
        >> instance(head("HTTP/1.1 200 OK", "Content-Length: 2") + b"ok")
        << client(head("HTTP/1.1 200 OK", "Content-Length: 2", DATE, "Connection: close") + b"ok")
        << logged(200)
        << client.closes
    )


# spec: L6
def test_what_was_told_to_persist_may_ask_once_more() -> None:
    assert (
        forwarding()
        >> instance(head("HTTP/1.1 200 OK", "Content-Length: 2"))
        << client(head("HTTP/1.1 200 OK", "Content-Length: 2", DATE))
        >> drains
        >> instance(b"ok")
        << client(b"ok")
        << logged(200)
        >> client(GET)
        << instance(GET_FORWARDED)
        >> instance(head("HTTP/1.1 204 No Content"))
        << client(head("HTTP/1.1 204 No Content", DATE, "Connection: close"))
        << logged(204)
        << client.closes
    )


# spec: L6
def test_an_idle_connection_is_closed_a_second_after_a_drain_began() -> None:
    assert (
        forwarding()
        >> instance(head("HTTP/1.1 204 No Content"))
        << client(head("HTTP/1.1 204 No Content", DATE))
        << logged(204)
        >> drains
        >> passes(1.5)
        << client.closes
    )


# spec: L6
def test_a_request_without_an_answer_is_told_that_the_service_ends() -> None:
    assert (
        forwarding()
        >> drains
        >> is_cut
        << instance.closes
        << client.error(503, "proxy_stopped", closing=True)
        << logged(503, "proxy_stopped")
        << client.closes
    )


# spec: L6
def test_one_that_is_being_connected_for_is_told_too() -> None:
    assert (
        Dialogue()
        >> client(GET)
        << instance.connects
        >> drains
        >> is_cut
        << instance.closes
        << client.error(503, "proxy_stopped", closing=True)
        << logged(503, "proxy_stopped")
        << client.closes
    )


# spec: L6
def test_one_whose_body_is_under_way_is_told_too() -> None:
    assert (
        Dialogue()
        >> client(POST + b"ab")
        << instance.connects
        >> instance.accepts
        << instance(POST_FORWARDED + b"ab")
        >> is_cut
        << instance.closes
        << client.error(503, "proxy_stopped", closing=True)
        << logged(503, "proxy_stopped")
        << client.ends
    )


# spec: L6
def test_an_answer_under_way_ends_where_the_client_can_see_that_the_rest_is_missing() -> None:
    assert (
        forwarding()
        >> instance(CHUNKED + b"1\r\na\r\n")
        << client(head("HTTP/1.1 200 OK", DATE, "Transfer-Encoding: chunked") + b"1\r\na\r\n")
        >> is_cut
        << instance.closes
        << logged(200, "proxy_stopped")
        << client.closes
    )


# spec: L6
def test_where_the_client_could_not_see_it_its_connection_is_reset() -> None:
    assert (
        Dialogue()
        >> client(GET_1_0)
        << instance.connects
        >> instance.accepts
        << instance(GET_FORWARDED)
        >> instance(CHUNKED + b"1\r\na\r\n")
        << client(head("HTTP/1.1 200 OK", DATE, "Connection: close") + b"a")
        >> is_cut
        << instance.closes
        << client.breaks
        << logged(200, "proxy_stopped")
    )


# spec: E1
def test_an_error_reply_to_head_has_the_head_of_one_and_no_body() -> None:
    dialogue = Dialogue() >> client(GET.replace(b"GET", b"HEAD").replace(b"app.", b"no."))
    told = dialogue.stage.deeds[0].data
    assert told.startswith(b"HTTP/1.1 404 ")
    assert told.endswith(b"\r\n\r\n")
    assert b"\r\nContent-Length: 0\r\n" not in told
    assert dialogue << client(told) << logged(404, "destination_not_found")


# spec: R5
def test_what_is_open_is_named_by_what_it_waits_for() -> None:
    stream = head("HTTP/1.1 200 OK", "Content-Type: Text/Event-Stream; charset=utf-8", "Content-Length: 5")
    upload = Dialogue() >> client(POST + b"ab") << instance.connects
    silent = Dialogue() >> client.connects
    download = forwarding() >> instance(head("HTTP/1.1 200 OK", "Content-Length: 5"))
    events = forwarding() >> instance(stream)
    expected = {"upload": upload, "connection": silent, "download": download, "event stream": events}
    expected["request"] = forwarding()
    for kind, dialogue in expected.items():
        (share,) = dialogue.stage.engine.remaining()
        assert (share.kind, share.app) == (kind, "" if kind == "connection" else "app")
        dialogue.stage.leave()
