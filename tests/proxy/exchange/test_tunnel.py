"""Upgrades and the tunnels that they become, as dialogues: bytes both ways, half-closes, times, and how they end."""

from __future__ import annotations

import pytest

from tests.proxy.dialogue import (
    DATE,
    FIELDS,
    GET,
    Dialogue,
    client,
    head,
    instance,
    is_cut,
    logged,
    passes,
)

_COMMON = ("Host: app.example", "X-Request-Id: r")
UPGRADE = head("GET / HTTP/1.1", *_COMMON, "Connection: Upgrade", "Upgrade: websocket")
UPGRADE_FORWARDED = head("GET / HTTP/1.1", *_COMMON, *FIELDS, "Connection: Upgrade", "Upgrade: websocket")
SWITCH = head("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade")
SWITCHED = head("HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket")


def asked(**config: object) -> Dialogue:
    return (
        Dialogue(**config)  # type: ignore[arg-type]
        >> client(UPGRADE)
        << instance.connects
        >> instance.accepts
        << instance(UPGRADE_FORWARDED)
    )


def tunnel(**config: object) -> Dialogue:
    return asked(**config) >> instance(SWITCH) << client(SWITCHED)


# spec: F4
def test_bytes_go_both_ways_as_they_are() -> None:
    assert (
        tunnel()
        >> client(b"\x81\x00GET / HTTP/1.1\r\n\r\n")
        << instance(b"\x81\x00GET / HTTP/1.1\r\n\r\n")
        >> instance(b"\x00HTTP/1.1 200 OK\r\n\r\n")
        << client(b"\x00HTTP/1.1 200 OK\r\n\r\n")
        >> client.breaks
        << instance.ends
        << logged(101)
    )


# spec: F4
def test_what_comes_with_the_switch_is_already_of_the_other_protocol() -> None:
    assert (
        asked()
        >> client(b"early")
        >> instance(SWITCH + b"hello")
        << client(SWITCHED)
        << client(b"hello")
        << instance(b"early")
        >> instance.breaks
        << logged(101)
        << client.ends
    )


# spec: F4
def test_a_client_that_is_done_still_hears_its_instance() -> None:
    assert (
        tunnel()
        >> client(b"last")
        << instance(b"last")
        >> client.ends
        << instance.ends
        >> passes(3600)
        >> instance(b"much later")
        << client(b"much later")
        >> instance.ends
        << instance.closes
        << logged(101)
        << client.closes
    )


# spec: F4, L4
def test_a_client_whose_instance_is_done_has_to_say_something_now_and_then() -> None:
    assert (
        tunnel(timeouts={"read": "5s"})
        >> instance.ends
        << client.ends
        >> passes(4)
        >> client(b"more")
        << instance(b"more")
        >> passes(4)
        >> client(b"more")
        << instance(b"more")
        >> passes(5.5)
        << instance.closes
        << logged(101)
        >> passes(5.5)  # it may be about to end, too
        << client.closes
    )


# spec: L3, L4
def test_nothing_has_to_be_said_in_time() -> None:
    assert (
        tunnel(timeouts={"read": "5s", "response": "5s", "idle": "5s"})
        >> passes(5000)
        >> client(b"still there")
        << instance(b"still there")
        >> client.breaks
        << instance.ends
        << logged(101)
    )


# spec: L4
def test_what_was_said_must_be_taken_in_time() -> None:
    assert (
        tunnel(timeouts={"read": "5s"})
        >> client.stops_reading
        >> instance(b"x" * 70_000)
        << instance.pauses
        >> passes(5.5)
        << client.closes
        << instance.ends
        << logged(101, "client_stopped_reading")
    )


# spec: L3
def test_an_instance_that_takes_nothing_ends_its_tunnel() -> None:
    assert (
        tunnel(timeouts={"read": "5s"})
        >> instance.stops_reading
        >> client(b"x" * 70_000)
        << client.pauses
        >> passes(5.5)
        << instance.closes
        << client.closes
        << logged(101, "connection_write_timeout")
    )


# spec: F4
@pytest.mark.parametrize("protocols", ["other", "websocket, other"])
def test_a_switch_to_what_nobody_asked_for(protocols: str) -> None:
    assert (
        asked()
        >> instance(head("HTTP/1.1 101 Switching Protocols", f"Upgrade: {protocols}", "Connection: Upgrade"))
        << instance.closes
        << client.error(502, "http_upgrade_failed", closing=True)
        << logged(502, "http_upgrade_failed")
        << client.closes
    )


# spec: F4
def test_a_switch_that_nobody_asked_for() -> None:
    assert (
        Dialogue()
        >> client(GET)
        << instance.connects
        >> instance.accepts
        << instance(head("GET / HTTP/1.1", *_COMMON, *FIELDS))
        >> instance(SWITCH)
        << instance.closes
        << client.error(502, "http_upgrade_failed")
        << logged(502, "http_upgrade_failed")
    )


# spec: F4
def test_a_refused_upgrade_is_an_answer_like_any_other_and_the_connections_last() -> None:
    # Bytes of the other protocol may be on their way (RFC 9931).
    assert (
        asked()
        >> instance(head("HTTP/1.1 403 Forbidden", "Content-Length: 2") + b"no")
        << client(head("HTTP/1.1 403 Forbidden", "Content-Length: 2", DATE, "Connection: close") + b"no")
        << logged(403)
        << client.closes
    )


# spec: F4
def test_an_upgrade_behind_a_body_waits_for_its_end() -> None:
    fields = ("Content-Length: 4", "Connection: Upgrade", "Upgrade: websocket")
    assert (
        Dialogue()
        >> client(head("POST / HTTP/1.1", *_COMMON, *fields) + b"ab")
        << instance.connects
        >> instance.accepts
        << instance(head("POST / HTTP/1.1", *_COMMON, fields[0], *FIELDS, *fields[1:]) + b"ab")
        >> instance(SWITCH)
        << instance.closes
        << client.error(502, "http_upgrade_failed", closing=True)
        << logged(502, "http_upgrade_failed")
        << client.ends
    )


# spec: L6
def test_a_tunnel_that_is_cut_ends_in_order() -> None:
    assert tunnel() >> is_cut << instance.closes << logged(101, "proxy_stopped") << client.ends >> client.ends


MUCH = b"x" * 70_000  # more than may wait for one side


# spec: F4
def test_an_instance_waits_for_a_client_that_does_not_read() -> None:
    assert (
        tunnel()
        >> client.stops_reading
        >> instance(MUCH)
        << instance.pauses
        >> client.reads_some(50_000)
        << client(MUCH[:50_000])
        >> client.reads
        << client(MUCH[50_000:])
        << instance.resumes
        >> instance.ends
        << client.ends
        >> client.ends
        << instance.closes
        << logged(101)
        << client.closes
    )


# spec: F4, L3
def test_a_client_waits_for_an_instance_that_does_not_read() -> None:
    assert (
        tunnel(timeouts={"read": "5s"})
        >> instance.stops_reading
        >> client(MUCH)
        << client.pauses
        >> passes(4)
        >> instance.reads_some(50_000)
        << instance(MUCH[:50_000])
        >> passes(4)
        >> instance.reads
        << instance(MUCH[50_000:])
        << client.resumes
        >> passes(60)  # nothing is to be taken any more
        >> client.breaks
        << instance.ends
        << logged(101)
    )


# spec: F4
def test_what_is_still_to_go_goes_before_the_end_is_passed_on() -> None:
    assert (
        tunnel()
        >> instance.stops_reading
        >> client(b"last words")
        >> client.ends
        >> instance.reads
        << instance(b"last words")
        << instance.ends
        >> instance.ends
        << instance.closes
        << logged(101)
        << client.closes
    )


# spec: F4
def test_a_client_that_shut_its_side_before_the_switch() -> None:
    assert (
        asked()
        >> client.ends
        >> instance(SWITCH + b"hello")
        << client(SWITCHED)
        << client(b"hello")
        << instance.ends
        >> instance.ends
        << instance.closes
        << logged(101)
        << client.closes
    )


# spec: R5
@pytest.mark.parametrize(("protocol", "kind"), [("websocket", "WebSocket"), ("other", "tunnel")])
def test_what_a_tunnel_is_called_while_it_lasts(protocol: str, kind: str) -> None:
    dialogue = (
        Dialogue()
        >> client(UPGRADE.replace(b"websocket", protocol.encode()))
        << instance.connects
        >> instance.accepts
        << instance(UPGRADE_FORWARDED.replace(b"websocket", protocol.encode()))
        >> instance(SWITCH.replace(b"websocket", protocol.encode()))
        << client(SWITCHED.replace(b"websocket", protocol.encode()))
    )
    (share,) = dialogue.stage.engine.remaining()
    assert (share.kind, share.app, share.connections) == (kind, "app", 1)
    assert dialogue >> client.breaks << instance.ends << logged(101)


# spec: E3
def test_a_client_that_waits_for_nothing_is_told_which_protocol_the_app_offers() -> None:
    told = ("HTTP/1.1 426 Upgrade Required", "Content-Length: 0")
    assert (
        Dialogue()
        >> client(GET)
        << instance.connects
        >> instance.accepts
        << instance(head("GET / HTTP/1.1", *_COMMON, *FIELDS))
        >> instance(head(*told, "Connection: Upgrade", "Upgrade: websocket"))
        << client(head(*told, "Upgrade: websocket", "Connection: upgrade", DATE))
        << logged(426)
    )
