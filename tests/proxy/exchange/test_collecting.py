"""Which bodies are collected before an instance is chosen, what the instance then gets, and what goes wrong."""

from __future__ import annotations

import errno

import pytest

from lb.proxy.exchange.exchange import Exchange
from lb.proxy.exchange.interim import CONTINUE
from lb.proxy.exchange.states import COLLECTING, CONNECTING, DONE, FORWARDING
from lb.routing.route import BUFFERING_AUTO, BUFFERING_OFF, BUFFERING_ON
from tests.proxy.exchange.fakes import FakeUpstream, Stage, staged

KIB = 1024
MIB = 1 << 20


def request(*lines: str, body: bytes = b"") -> bytes:
    head = ("POST / HTTP/1.1", "Host: app.example", "X-Request-Id: r", *lines)
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


CHUNKED = "Transfer-Encoding: chunked"
END = b"0\r\n\r\n"
GRPC = "Content-Type: Application/gRPC+proto"
UPGRADE = ("Connection: upgrade", "Upgrade: websocket")


def begun(stage: Stage, text: bytes, mode: int = BUFFERING_AUTO) -> Exchange:
    stage.route.buffering = mode
    exchange = stage.exchange(text)
    exchange.start()
    return exchange


def comes(stage: Stage, exchange: Exchange, data: bytes) -> None:
    stage.client.fill(data)
    exchange.request_data()


def got(exchange: Exchange) -> tuple[list[bytes], bytes]:
    """The lines and the body that the instance has."""
    upstream = exchange.upstream
    assert isinstance(upstream, FakeUpstream)
    head, _, body = upstream.sent.partition(b"\r\n\r\n")
    return head.split(b"\r\n"), body


# spec: F6
@pytest.mark.parametrize(
    ("mode", "lines", "body", "collected"),
    [
        (BUFFERING_AUTO, (CHUNKED,), b"", True),
        (BUFFERING_AUTO, (CHUNKED,), chunk(b"a"), True),
        (BUFFERING_AUTO, (CHUNKED, GRPC), b"", False),
        (BUFFERING_AUTO, (CHUNKED, *UPGRADE), b"", False),
        (BUFFERING_AUTO, ("Content-Length: 1048576",), b"a", True),
        (BUFFERING_AUTO, ("Content-Length: 1048577",), b"a", False),
        (BUFFERING_AUTO, ("Content-Length: 2",), b"ab", False),  # it is all here
        (BUFFERING_AUTO, ("Content-Length: 2",), b"abGET", False),
        (BUFFERING_AUTO, ("Content-Length: 2", GRPC), b"a", False),
        (BUFFERING_AUTO, ("Content-Length: 2", *UPGRADE), b"a", False),
        (BUFFERING_AUTO, ("Content-Length: 0",), b"", False),
        (BUFFERING_AUTO, (), b"", False),
        (BUFFERING_ON, (CHUNKED, GRPC), b"", True),
        (BUFFERING_ON, (CHUNKED, *UPGRADE), b"", True),
        (BUFFERING_ON, ("Content-Length: 1048577",), b"a", True),
        (BUFFERING_ON, ("Content-Length: 2",), b"ab", False),
        (BUFFERING_ON, (), b"", False),
        (BUFFERING_OFF, (CHUNKED,), b"", False),
        (BUFFERING_OFF, ("Content-Length: 2",), b"a", False),
    ],
)
def test_which_bodies_are_collected(mode: int, lines: tuple[str, ...], body: bytes, collected: bool) -> None:
    with staged() as stage:
        exchange = begun(stage, request(*lines, body=body), mode)
        assert exchange.phase == (COLLECTING if collected else CONNECTING)
        assert stage.engine.buffers.total == collected


# spec: F6
def test_chunks_become_one_body_with_a_length() -> None:
    with staged() as stage:
        stage.pooled()
        lines = ("Accept: text/html", CHUNKED, "Trailer: Sum", "Expect: 100-continue", "User-Agent: u")
        exchange = begun(stage, request(*lines))
        assert stage.client.heads == [CONTINUE]
        comes(stage, exchange, chunk(b"abc"))
        comes(stage, exchange, chunk(b"de") + b"0\r\nSum: 1\r\n\r\nGET")
        assert exchange.phase == FORWARDING
        head, body = got(exchange)
        assert body == b"abcde"
        assert head[:6] == [
            b"POST / HTTP/1.1",
            b"Host: app.example",
            b"X-Request-Id: r",
            b"Accept: text/html",
            b"User-Agent: u",
            b"Content-Length: 5",
        ]
        assert not [line for line in head if line.lower().startswith((b"transfer-", b"trailer", b"expect"))]
        assert stage.client.have == 3  # the next request waits
        assert (exchange.head.accept(), exchange.head.user_agent()) == (b"text/html", b"u")


# spec: F6
def test_a_body_without_a_chunk_has_a_length_too() -> None:
    with staged() as stage:
        stage.pooled()
        exchange = begun(stage, request(CHUNKED, body=END))
        head, body = got(exchange)
        assert b"Content-Length: 0" in head
        assert body == b""
        assert exchange.phase == FORWARDING


# spec: F6
def test_a_known_length_stays_as_it_came() -> None:
    with staged() as stage:
        stage.pooled()
        exchange = begun(stage, request("Content-Length: 5", body=b"ab"))
        assert exchange.upstream is None
        comes(stage, exchange, b"cde")
        head, body = got(exchange)
        assert head.count(b"Content-Length: 5") == 1
        assert body == b"abcde"


# spec: F6, F2
def test_what_was_collected_can_go_to_another_instance() -> None:
    with staged() as stage:
        exchange = begun(stage, request(CHUNKED, body=chunk(b"a" * 100 * KIB)))
        stage.disk.turn()
        comes(stage, exchange, chunk(b"end") + END)
        first = exchange.upstream
        exchange.upstream_refused(errno.ECONNREFUSED)
        assert exchange.upstream is not first
        exchange.upstream_connected()
        assert got(exchange)[1] == b"a" * 100 * KIB + b"end"


# spec: F6, F2
def test_an_idempotent_one_is_sent_again_from_its_first_byte() -> None:
    with staged() as stage:
        stage.pooled()
        text = request(CHUNKED, body=chunk(b"a" * 100 * KIB)).replace(b"POST", b"PUT")
        exchange = begun(stage, text)
        stage.disk.turn()
        comes(stage, exchange, END)
        first = exchange.upstream
        exchange.upstream_lost()
        assert exchange.upstream is not first
        assert got(exchange)[1] == b"a" * 100 * KIB


# spec: F6, F3
def test_an_instance_that_reads_slowly_gets_the_rest_when_it_can() -> None:
    with staged() as stage:
        stage.pooled()
        for instance in stage.environment.instances:
            instance.idle[0].takes_files = 60 * KIB  # type: ignore[attr-defined]
        exchange = begun(stage, request(CHUNKED, body=chunk(b"a" * 100 * KIB)))
        stage.disk.turn()
        comes(stage, exchange, END)
        assert len(got(exchange)[1]) == 60 * KIB
        assert stage.client.paused
        exchange.upstream_drained()
        assert got(exchange)[1] == b"a" * 100 * KIB
        assert not stage.client.paused
        assert stage.engine.buffers.on_disk() == 100 * KIB  # it may have to be sent again
        exchange.upstream.fill(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\no")
        exchange.response_data()
        assert stage.engine.buffers.on_disk() == 0


# spec: F6
def test_an_instance_that_answers_early_still_gets_the_rest() -> None:
    with staged() as stage:
        stage.pooled()
        for instance in stage.environment.instances:
            instance.idle[0].takes_files = 60 * KIB  # type: ignore[attr-defined]
        exchange = begun(stage, request(CHUNKED, body=chunk(b"a" * 100 * KIB)))
        stage.disk.turn()
        comes(stage, exchange, END)
        exchange.upstream.fill(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\no")
        exchange.response_data()
        assert stage.engine.buffers.on_disk() == 100 * KIB
        exchange.upstream_drained()
        assert got(exchange)[1] == b"a" * 100 * KIB
        assert stage.engine.buffers.on_disk() == 0


# spec: F6
def test_a_body_waits_for_its_last_part_on_the_way_to_the_disk() -> None:
    with staged() as stage:
        exchange = begun(stage, request(CHUNKED, body=chunk(b"a" * 100 * KIB) + END + b"GET"))
        assert exchange.phase == COLLECTING
        exchange.request_data()  # the next request is none of its business
        assert stage.client.have == 3
        stage.disk.turn()
        assert exchange.phase == CONNECTING


# spec: F6, F3
def test_a_client_that_is_faster_than_the_disk_is_paused() -> None:
    with staged() as stage:
        exchange = begun(stage, request(CHUNKED, body=chunk(b"a" * 100 * KIB)))
        assert not stage.client.paused
        comes(stage, exchange, chunk(b"a" * 100 * KIB))
        assert stage.client.paused
        stage.disk.turn()
        assert not stage.client.paused


# spec: F6
def test_a_chunked_sender_that_pauses_is_passed_on_as_it_comes() -> None:
    with staged() as stage:
        stage.pooled()
        exchange = begun(stage, request(CHUNKED, "Trailer: Sum", "Expect: 100-continue", body=chunk(b"abc")))
        assert exchange.client_timeout() == 1.0
        exchange.client_late()
        head, body = got(exchange)
        assert b"Transfer-Encoding: chunked" in head
        assert b"Trailer: Sum" in head
        assert b"Expect: 100-continue" not in head  # its client was told to go on, or did not wait
        assert body == chunk(b"abc")
        assert exchange.client_timeout() == 60.0
        comes(stage, exchange, chunk(b"de") + b"0\r\nSum: 1\r\n\r\n")
        assert got(exchange)[1] == chunk(b"abc") + b"2\r\nde\r\n0\r\nSum: 1\r\n\r\n"
        assert stage.engine.buffers.in_memory == 0


# spec: F6
def test_and_so_is_one_whose_first_part_is_on_disk() -> None:
    with staged() as stage:
        stage.pooled()
        exchange = begun(stage, request(CHUNKED, body=chunk(b"a" * 100 * KIB)))
        stage.disk.turn()
        exchange.client_late()
        comes(stage, exchange, chunk(b"de") + END)
        assert got(exchange)[1].count(b"a") >= 100 * KIB
        assert got(exchange)[1].endswith(b"2\r\nde\r\n0\r\n\r\n")
        assert stage.engine.buffers.on_disk() == 0


# spec: F6
def test_what_comes_while_the_first_part_goes_waits_for_it() -> None:
    with staged() as stage:
        stage.pooled()
        exchange = begun(stage, request(CHUNKED, body=chunk(b"a" * 100 * KIB)))
        stage.disk.turn()
        for instance in stage.environment.instances:
            instance.idle[0].full = True  # type: ignore[attr-defined]
        exchange.client_late()
        assert got(exchange)[1] == b""
        assert stage.client.paused
        comes(stage, exchange, chunk(b"de"))
        assert got(exchange)[1] == b""
        exchange.upstream.full = False
        exchange.upstream_drained()
        assert got(exchange)[1].endswith(b"a\r\n2\r\nde\r\n")
        assert not stage.client.paused


# spec: F6, L3
def test_others_that_pause_are_late() -> None:
    for mode, line in ((BUFFERING_AUTO, "Content-Length: 5"), (BUFFERING_ON, CHUNKED)):
        with staged() as stage:
            exchange = begun(stage, request(line), mode)
            assert exchange.client_timeout() == 60.0
            exchange.client_late()
            assert stage.client.heads[0].startswith(b"HTTP/1.1 408 ")


# spec: L3
def test_a_shorter_time_for_reads_holds() -> None:
    with staged() as stage:
        stage.route.read = 0.5
        exchange = begun(stage, request(CHUNKED))
        assert exchange.client_timeout() == 0.5
        exchange.client_late()
        assert stage.client.heads[0].startswith(b"HTTP/1.1 408 ")


# spec: F6, F4
def test_who_waits_for_a_100_is_told_once_and_who_does_not_is_not() -> None:
    with staged() as stage:
        begun(stage, request("Content-Length: 5", "Expect: 100-continue"))
        assert stage.client.heads == [CONTINUE]
    with staged() as stage:
        begun(stage, request("Content-Length: 5", "Expect: 100-continue", body=b"a"))
        assert stage.client.heads == []
    with staged() as stage:
        stage.pooled()
        exchange = begun(stage, request("Content-Length: 5", "Expect: 100-continue", body=b"a"))
        comes(stage, exchange, b"bcde")
        exchange.upstream.fill(b"HTTP/1.1 100 Continue\r\n\r\n")
        exchange.response_data()
        assert stage.client.heads == []


# spec: F6
def test_no_body_is_awaited_that_no_instance_could_take() -> None:
    with staged() as stage:
        stage.down()
        exchange = begun(stage, request(CHUNKED, "Expect: 100-continue"))
        assert exchange.phase == DONE
        (head,) = stage.client.heads
        assert head.startswith(b"HTTP/1.1 503 ")


# spec: L2
@pytest.mark.parametrize("way", ["at once", "in the end"])
def test_a_body_that_is_too_large_reaches_no_instance(way: str) -> None:
    with staged() as stage:
        stage.pooled()
        stage.route.body_cap = 100
        body = chunk(b"a" * 60)
        exchange = begun(stage, request(CHUNKED, body=body * (2 if way == "at once" else 1)))
        if way == "in the end":
            comes(stage, exchange, body)
        assert stage.client.heads[0].startswith(b"HTTP/1.1 413 ")
        assert stage.engine.buffers.in_memory == 0


# spec: F6
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (errno.ENOSPC, b"507 Insufficient Storage"),
        (errno.EDQUOT, b"507 Insufficient Storage"),
        (errno.EMFILE, b"503 Service Unavailable"),
    ],
)
def test_a_disk_that_refuses_is_a_clear_answer(error: int, said: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with staged() as stage:
        begun(stage, request(CHUNKED, body=chunk(b"a" * 100 * KIB)))
        stage.disk.error = error
        stage.disk.turn()
        assert said in stage.client.heads[0]
        assert stage.client.ended == (False, True)
        assert "cannot be buffered" in caplog.text
        assert (stage.engine.buffers.in_memory, stage.engine.buffers.on_disk()) == (0, 0)


# spec: F6
def test_a_disk_that_hangs_is_one_too() -> None:
    with staged() as stage:
        exchange = begun(stage, request(CHUNKED, body=chunk(b"a" * 100 * KIB)))
        assert exchange.client_timeout() == 60.0
        exchange.client_late()
        assert b"507 Insufficient Storage" in stage.client.heads[0]
        assert b"the disk did not take it in time" in stage.client.out


# spec: F6
def test_what_exceeds_the_limit_of_the_disk_is_told_so() -> None:
    for text in (
        request("Content-Length: 200000"),
        request(CHUNKED, body=chunk(b"a" * 200_000)),
    ):
        with staged() as stage:
            stage.engine.snapshot.max_buffered = 100_000
            begun(stage, text)
            (head,) = stage.client.heads
            assert head.startswith(b"HTTP/1.1 503 ")
            assert b"Retry-After: 1" in head
            assert b"100000 bytes (limits.buffered)" in stage.client.out
    with staged() as stage:
        stage.engine.snapshot.max_buffered = 150_000
        exchange = begun(stage, request(CHUNKED, body=chunk(b"a" * 100_000)))
        comes(stage, exchange, chunk(b"a" * 100_000))
        stage.disk.turn()
        assert stage.client.heads[0].startswith(b"HTTP/1.1 503 ")


# spec: F3
def test_a_client_that_leaves_takes_its_body_with_it() -> None:
    with staged() as stage:
        exchange = begun(stage, request(CHUNKED, body=chunk(b"a" * 100 * KIB)))
        stage.client.leaving = True
        assert not exchange.client_ended()
        assert exchange.phase == DONE
        stage.disk.turn()
        assert (stage.engine.buffers.in_memory, stage.engine.buffers.on_disk()) == (0, 0)
    with staged() as stage:
        stage.client.leaving = True
        exchange = begun(stage, request(CHUNKED, body=chunk(b"a")))
        assert exchange.phase == DONE


# spec: F4
def test_an_upgrade_waits_for_a_body_that_is_on_its_way() -> None:
    with staged() as stage:
        stage.pooled()
        for instance in stage.environment.instances:
            instance.idle[0].takes_files = 60 * KIB  # type: ignore[attr-defined]
        exchange = begun(stage, request(CHUNKED, *UPGRADE, body=chunk(b"a" * 100 * KIB)), BUFFERING_ON)
        stage.disk.turn()
        comes(stage, exchange, END)
        exchange.upstream.fill(b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        exchange.response_data()
        assert stage.client.heads[0].startswith(b"HTTP/1.1 502 ")
