"""A connection to an instance: whom it tells, what it asks for, and what becomes of it when it is free."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest

from lb.http.head import Limits, RequestHead
from lb.http.scan import scan_request
from lb.proxy.handler import Handler
from lb.routing.instance import Instance
from tests.proxy.exchange.fakes import FakeUpstream, Stage, staged


class Told(Handler):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def upstream_connected(self) -> None:
        self.events.append("connected")

    def upstream_refused(self, error: int) -> None:
        self.events.append(f"refused {error}")

    def response_data(self) -> None:
        self.events.append("data")

    def upstream_ended(self) -> None:
        self.events.append("ended")

    def upstream_lost(self) -> None:
        self.events.append("lost")

    def upstream_late(self) -> None:
        self.events.append("late")


def made(stage: Stage) -> tuple[FakeUpstream, Told, Instance]:
    instance = stage.environment.instances[0]
    upstream, told = FakeUpstream(stage.engine, instance), Told()
    assert upstream.reach() == errno.EINPROGRESS
    assert instance.connections == 1
    upstream.tell(told)
    return upstream, told, instance


def test_what_happens_is_passed_on_to_whom_it_serves() -> None:
    with staged() as stage:
        upstream, told, instance = made(stage)
        upstream.connected()
        upstream.received()
        upstream.ended()
        upstream.expired()
        upstream.lost()
        assert told.events == ["connected", "data", "ended", "late", "lost"]
        assert instance.connections == 0
        upstream.lost()  # nobody is told twice
        assert told.events[-1:] == ["lost"]


def test_one_that_could_not_be_made_is_none_of_the_instances_connections() -> None:
    with staged() as stage:
        upstream, told, instance = made(stage)
        upstream.connect_failed(errno.ECONNREFUSED)
        assert told.events == [f"refused {errno.ECONNREFUSED}"]
        assert instance.connections == 0


# spec: E3
def test_a_plain_file_in_the_place_of_a_socket_is_told_from_a_refusal(tmp_path: Path) -> None:
    with staged() as stage:
        for path, cause in ((tmp_path / "file", "not_a_socket"), (tmp_path / "socket", "connection_refused")):
            if cause == "not_a_socket":
                path.touch()
            else:
                with socket.socket(socket.AF_UNIX) as sock:
                    sock.bind(str(path))
            instance = Instance(f"unix:{path}", socket.AF_UNIX, str(path))
            assert FakeUpstream(stage.engine, instance).why(errno.ECONNREFUSED) == cause


# spec: F2
def test_one_that_is_free_waits_in_its_pool_unless_there_are_enough() -> None:
    with staged() as stage:
        upstream, _, instance = made(stage)
        instance.most_idle = 1
        upstream.release(True)
        assert instance.idle == [upstream]
        assert upstream.reused
        other, _, _ = made_again(stage)
        other.release(True)
        assert other.closed
        assert instance.idle == [upstream]


def made_again(stage: Stage) -> tuple[FakeUpstream, Told, Instance]:
    instance = stage.environment.instances[0]
    upstream, told = FakeUpstream(stage.engine, instance), Told()
    upstream.reach()
    upstream.tell(told)
    return upstream, told, instance


# spec: F5
@pytest.mark.parametrize("event", ["received", "expired", "ended"])
def test_an_idle_one_is_closed_by_whatever_happens_to_it(event: str) -> None:
    with staged() as stage:
        upstream, _, instance = made(stage)
        upstream.release(True)
        getattr(upstream, event)()
        assert upstream.closed
        upstream.lost()
        assert instance.idle == []


# spec: R4
def test_one_of_a_retired_instance_is_not_kept() -> None:
    with staged() as stage:
        upstream, _, instance = made(stage)
        instance.retired = True
        upstream.release(True)
        assert upstream.closed
        assert instance.idle == []
        instance.retired = False


def read(*lines: str) -> RequestHead:
    head = scan_request("\r\n".join(("POST / HTTP/1.1", "Host: a", *lines, "", "")).encode(), Limits())
    assert head is not None
    return head


# spec: F4, H5
@pytest.mark.parametrize(
    ("lines", "identity", "protocol", "keep_alive", "end"),
    [
        ((), None, None, True, b"F: 1\r\n\r\n"),
        ((), b"id", None, True, b"F: 1\r\nX-Request-Id: id\r\n\r\n"),
        ((), None, None, False, b"F: 1\r\nConnection: close\r\n\r\n"),
        ((), None, b"chat", False, b"F: 1\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"),
        (("Transfer-Encoding: chunked",), None, None, True, b"F: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"),
        (("Content-Length: 2",), None, None, True, b"F: 1\r\n\r\nab"),
    ],
)
def test_the_head_that_goes_to_an_instance(
    lines: tuple[str, ...], identity: bytes | None, protocol: bytes | None, keep_alive: bool, end: bytes
) -> None:
    with staged() as stage:
        upstream, _, _ = made(stage)
        head = read(*lines)
        upstream.request(head, b"POST / HTTP/1.1\r\n", b"F: 1\r\n", identity, protocol, keep_alive)
        if lines:
            assert upstream.sent == b"", "it goes with the first of the body"
            upstream.piece(b"ab", None)
        assert upstream.sent == b"POST / HTTP/1.1\r\n" + end
