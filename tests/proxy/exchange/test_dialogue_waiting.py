"""Waiting for an instance, as dialogues: which exchanges queue, in which order they go on, and how they leave."""

from __future__ import annotations

from tests.proxy.dialogue import (
    DATE,
    GET,
    GET_FORWARDED,
    POST,
    Dialogue,
    client,
    fails_at_once,
    head,
    instance,
    is_cut,
    logged,
    passes,
)

OK = head("HTTP/1.1 200 OK", "Content-Length: 0")
OK_TOLD = head("HTTP/1.1 200 OK", "Content-Length: 0", DATE)

second = client.number(2)
third = client.number(3)


def crowded(timeouts: dict[str, str] | None = None, **limits: int) -> Dialogue:
    """The only instance serves as much as it may, and a second client waits for it."""
    return (
        Dialogue(limits={"instance_connections": 1, **limits}, timeouts=timeouts or {})
        >> client(GET)
        << instance.connects
        >> instance.accepts
        << instance(GET_FORWARDED)
        >> second(GET)
    )


# spec: L5
def test_who_waits_has_the_instance_when_it_is_free() -> None:
    assert (
        crowded()
        >> instance(OK)
        << client(OK_TOLD)
        << logged(200)
        << instance(GET_FORWARDED)
        >> instance(OK)
        << second(OK_TOLD)
        << logged(200)
    )


# spec: L5
def test_the_first_to_come_is_the_first_to_be_served() -> None:
    assert (
        crowded()
        >> third(GET)
        >> instance(OK)
        << client(OK_TOLD)
        << logged(200)
        << instance(GET_FORWARDED)
        >> client(GET)  # behind the third
        >> instance(OK)
        << second(OK_TOLD)
        << logged(200)
        << instance(GET_FORWARDED)
        >> instance(OK)
        << third(OK_TOLD)
        << logged(200)
        << instance(GET_FORWARDED)
        >> instance(OK)
        << client(OK_TOLD)
        << logged(200)
    )


# spec: L5
def test_waiting_has_an_end() -> None:
    assert (
        crowded(timeouts={"connect": "2s"})
        >> passes(1.9)
        >> passes(0.5)
        << second.error(503, "destination_unavailable")
        << logged(503, "destination_unavailable")
        >> instance(OK)
        << client(OK_TOLD)
        << logged(200)
    )


# spec: L5
def test_the_queue_has_a_bound() -> None:
    assert (
        crowded(waiting=1)
        >> third(GET)
        << third.error(503, "connection_limit_reached")
        << logged(503, "connection_limit_reached")
        >> instance(OK)
        << client(OK_TOLD)
        << logged(200)
        << instance(GET_FORWARDED)
        >> instance(OK)
        << second(OK_TOLD)
        << logged(200)
    )


# spec: F3
def test_who_breaks_off_leaves_the_queue() -> None:
    assert (
        crowded()
        >> third(GET)
        >> second.breaks
        << logged(499, "client_closed_request")
        >> instance(OK)
        << client(OK_TOLD)
        << logged(200)
        << instance(GET_FORWARDED)
        >> instance(OK)
        << third(OK_TOLD)
        << logged(200)
    )


# spec: F3
def test_who_shuts_its_side_while_it_waits_is_tried_at_once() -> None:
    assert (
        crowded()
        >> second.ends
        << second(b"H")
        >> instance(OK)
        << client(OK_TOLD)
        << logged(200)
        << instance(GET_FORWARDED)
        >> instance(OK)
        << second(OK_TOLD[1:])
        << logged(200)
        << second.closes
    )


# spec: L4
def test_a_body_that_is_sent_meanwhile_is_read_so_far_and_no_farther() -> None:
    assert (
        crowded()
        >> third(POST.replace(b"Length: 4", b"Length: 100000") + b"x" * 30_000)
        >> third(b"x" * 3_000)
        << third.pauses
        >> third.breaks
        << third.closes
        << logged(499, "client_closed_request")
    )


# spec: L5
def test_an_instance_that_is_busy_on_its_own_is_tried_again_in_a_moment() -> None:
    assert (
        Dialogue()
        >> fails_at_once(11)
        >> client(GET)
        << instance.connects
        >> passes(0.3)
        << instance.number(2).connects
        >> instance.number(2).accepts
        << instance.number(2)(GET_FORWARDED)
        >> instance.number(2)(OK)
        << client(OK_TOLD)
        << logged(200)
    )


# spec: L6
def test_who_waits_is_told_when_the_service_ends() -> None:
    dialogue = crowded() >> is_cut
    told = {deed.who + str(deed.number): deed for deed in dialogue.stage.deeds if deed.word == "data"}
    assert set(told) == {"client1", "client2"}
    assert all(b"error=proxy_stopped" in deed.data for deed in told.values())
    assert sum(deed.word == "503 proxy_stopped" for deed in dialogue.stage.deeds) == 2
    dialogue.stage.deeds.clear()
    assert dialogue
