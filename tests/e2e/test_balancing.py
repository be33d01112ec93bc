"""Which instance gets a request, and what happens when one fails: clauses F1 and F2."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.conftest import OpenStage
from tests.e2e.harness.client import chunk, get, message, post
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.expect import assert_error, assert_logged
from tests.e2e.harness.instance import Instance, Peer, Script, address_text, reserve
from tests.e2e.harness.scripts import Echo, answer_and_close, close_unanswered, echo, ok, reply, reset_unanswered
from tests.e2e.harness.waiting import wait_for

_Pairs = tuple[FrontDoor, dict[str, tuple[Instance, Instance]]]


def test_requests_go_round(tmp_path: Path) -> None:
    # spec: F1
    with ExitStack() as stack:
        addresses = [stack.enter_context(Instance(echo(name))).address for name in "abc"]
        door = stack.enter_context(FrontDoor(configure(*addresses), tmp_path))
        answered = [Echo(door.ask(get())).instance for _ in range(9)]
        with door.connect() as client:
            answered += [Echo(client.ask(get())).instance for _ in range(9)]
    assert answered[:3] * 6 == answered
    assert set(answered) == set("abc")


def test_production_and_staging_go_round_apart(tmp_path: Path) -> None:
    # spec: F1, D1
    with ExitStack() as stack:
        addresses = [stack.enter_context(Instance(echo(name))).address for name in "abcd"]
        config = configure(*addresses[:2], domains=("shop.example.com", "stg-shop.example.com"))
        config["apps"]["shop"]["staging"] = {"instances": addresses[2:]}
        door = stack.enter_context(FrontDoor(config, tmp_path))
        counts = Counter(
            Echo(door.ask(get(host=host))).instance
            for _ in range(4)
            for host in ("shop.example.com", "stg-shop.example.com")
        )
    assert counts == {"a": 2, "b": 2, "c": 2, "d": 2}


@pytest.mark.parametrize("request_bytes", [get(), post("/", b"hello"), post("/", b"x" * 300_000)])
def test_an_instance_that_refuses_is_passed_over(tmp_path: Path, request_bytes: bytes) -> None:
    # spec: F1, F2: nothing of the request was accepted, so that any method may go elsewhere
    with reserve() as refusing, Instance(echo("works")) as works:
        config = configure(address_text(refusing), works.address)
        with FrontDoor(config, tmp_path) as door:
            for _ in range(10):
                assert Echo(door.ask(request_bytes)).instance == "works"


def test_an_instance_comes_back_when_it_works_again(tmp_path: Path) -> None:
    # spec: F1
    sock = reserve()
    with (
        Instance(echo("steady")) as steady,
        FrontDoor(configure(address_text(sock), steady.address), tmp_path) as door,
    ):
        for _ in range(4):
            assert Echo(door.ask(get())).instance == "steady"
        with Instance(echo("back"), sock=sock):
            wait_for(lambda: Echo(door.ask(get())).instance == "back", "the instance to be used again")
        wait_for(lambda: Echo(door.ask(get())).instance == "steady", "the other one to be used alone")


def test_when_all_refuse_the_reply_says_so(tmp_path: Path) -> None:
    # spec: F1, E1
    with (
        reserve() as one,
        reserve() as two,
        FrontDoor(configure(address_text(one), address_text(two)), tmp_path) as door,
    ):
        for turn in range(5):
            assert_error(door.ask(get(f"/{turn}")), 502, "connection_refused")


def test_a_missing_unix_socket_is_passed_over(tmp_path: Path, short_path: Path) -> None:
    # spec: F1
    with (
        Instance(echo("works")) as works,
        FrontDoor(configure(f"unix:{short_path}/none.sock", works.address), tmp_path) as door,
    ):
        for _ in range(4):
            assert Echo(door.ask(get())).instance == "works"


@contextmanager
def _pairs(tmp_path: Path, first: Script, second: Script, methods: tuple[str, ...]) -> Iterator[_Pairs]:
    """One front door with an app of two instances for each method, at the host `<method>.example.com`."""
    with ExitStack() as stack:
        instances = {
            method: (stack.enter_context(Instance(first)), stack.enter_context(Instance(second))) for method in methods
        }
        apps = {
            method.lower(): {
                "domains": [f"{method.lower()}.example.com"],
                "production": {"instances": [one.address for one in pair]},
            }
            for method, pair in instances.items()
        }
        yield stack.enter_context(FrontDoor(configure(apps=apps), tmp_path)), instances


@pytest.mark.parametrize("breaking", [close_unanswered, reset_unanswered], ids=["closes", "resets"])
def test_an_idempotent_request_is_repeated_elsewhere(tmp_path: Path, breaking: Script) -> None:
    # spec: F2
    with _pairs(tmp_path, breaking, echo("works"), ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")) as (door, pairs):
        for method, (broken, works) in pairs.items():
            for _ in range(2):
                assert door.ask(message(f"{method} /x", host=f"{method.lower()}.example.com")).status == 200
            assert len(broken.requests) >= 1
            assert len(works.requests) == 2


@pytest.mark.parametrize("breaking", [close_unanswered, reset_unanswered], ids=["closes", "resets"])
def test_a_request_that_may_have_been_acted_on_is_not_repeated(tmp_path: Path, breaking: Script) -> None:
    # spec: F2
    with _pairs(tmp_path, breaking, breaking, ("POST", "PATCH", "UNKNOWN")) as (door, pairs):
        for method, (one, other) in pairs.items():
            host = f"{method.lower()}.example.com"
            response = door.ask(message(f"{method} /pay", "Content-Length: 3", body=b"100", host=host))
            assert_error(response, 502, "connection_terminated")
            assert_logged(door, 502, "connection_terminated", target="/pay", method=method)
            assert len(one.requests) + len(other.requests) == 1


def test_an_upgrade_is_not_repeated(tmp_path: Path) -> None:
    # spec: F2: what the client says in the other protocol may have been acted on already
    with Instance(close_unanswered) as one, Instance(close_unanswered) as two:
        with FrontDoor(configure(one.address, two.address), tmp_path) as door:
            response = door.ask(get("/", "Connection: Upgrade", "Upgrade: custom/1"))
            assert_error(response, 502, "connection_terminated")
        assert len(one.requests) + len(two.requests) == 1


def test_nothing_is_repeated_for_who_may_have_left(tmp_path: Path) -> None:
    # spec: F2, F3: a half-closed connection is how most clients look that are gone
    closed = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        closed.wait(20)

    with Instance(script) as breaks, Instance(echo()) as works:
        with FrontDoor(configure(breaks.address, works.address), tmp_path) as door, door.connect() as client:
            client.send(get("/left"))
            breaks.wait_requests(1)
            client.half_close()
            closed.set()
            assert_error(client.response(), 502, "connection_terminated")
        assert works.requests == []


def test_nothing_is_repeated_once_a_response_began(tmp_path: Path) -> None:
    # spec: F2
    def half(peer: Peer) -> None:
        peer.request()
        peer.send(ok(b"x" * 100)[:-50])

    with Instance(half) as one, Instance(half) as two:
        with FrontDoor(configure(one.address, two.address), tmp_path) as door, door.connect() as client:
            client.send(get("/half"))
            assert client.head().status == 200
            assert client.rest() == b"x" * 50
            assert_logged(door, 200, "http_response_incomplete", target="/half")
        assert len(one.requests) + len(two.requests) == 1


def test_a_small_body_is_repeated_with_its_request(tmp_path: Path) -> None:
    # spec: F2
    body = b"small enough"
    with (
        Instance(close_unanswered) as broken,
        Instance(echo()) as works,
        FrontDoor(configure(broken.address, works.address), tmp_path) as door,
    ):
        for _ in range(2):
            seen = Echo(door.ask(message("PUT /x", f"Content-Length: {len(body)}", body=body))).seen
            assert seen["sha256"] == hashlib.sha256(body).hexdigest()
        assert [request.body for request in broken.requests] == [body]


def test_a_body_that_came_in_pieces_is_not_repeated_from_the_middle(tmp_path: Path) -> None:
    # spec: F2
    begun = threading.Event()

    def script(peer: Peer) -> None:
        head = peer.head()
        peer.stream.exactly(5)
        begun.set()
        peer.stream.exactly(5)
        assert head.method == b"PUT"

    with Instance(script) as breaks, Instance(echo()) as works:
        config = configure(breaks.address, works.address)
        config["apps"]["shop"]["buffering"] = "off"
        with FrontDoor(config, tmp_path) as door, door.connect() as client:
            client.send(message("PUT /x", "Content-Length: 10", body=b"01234"))
            assert begun.wait(10)
            client.send(b"56789")
            assert_error(client.response(), 502, "connection_terminated")
        assert works.requests == []


def test_a_body_that_was_streamed_cannot_be_repeated(tmp_path: Path) -> None:
    # spec: F2, F3: what is gone is gone, even if the method is idempotent
    def script(peer: Peer) -> None:
        peer.head()
        peer.stream.exactly(1000)
        peer.reset()

    with (
        Instance(script) as one,
        Instance(script) as two,
        FrontDoor(configure(one.address, two.address), tmp_path) as door,
        door.connect() as client,
    ):
        client.send(message("PUT /big", "Transfer-Encoding: chunked", body=chunk(b"x" * 4_000)))
        response = client.response()
        assert response.status == 502
        assert_error(response, 502, "connection_terminated")


def test_when_every_instance_breaks_an_idempotent_request_ends_soon(tmp_path: Path) -> None:
    # spec: F2: retries are bounded
    with ExitStack() as stack:
        instances = [stack.enter_context(Instance(close_unanswered)) for _ in range(8)]
        door = stack.enter_context(FrontDoor(configure(*[one.address for one in instances]), tmp_path))
        assert_error(door.ask(get()), 502, "connection_terminated")
        assert sum(len(one.requests) for one in instances) == 3


def _closing_after_one(keep_alive_promised: bool) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(ok(b"ok", *(["Keep-Alive: timeout=60"] if keep_alive_promised else [])))
        peer.half_close()
        peer.wait_gone()

    return script


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_idle_connection_that_the_instance_closed_costs_nobody_an_error(stage: OpenStage, method: str) -> None:
    # spec: F2: the keep-alive race at its most frequent
    with stage(_closing_after_one(keep_alive_promised=True)) as on, on.connect() as client:
        for turn in range(100):
            response = client.ask(message(f"{method} /{turn}", "Content-Length: 1", host=on.host, body=b"x"))
            assert response.status == 200, (turn, response.body)
        targets = [request.target for request in on.instance.requests]
        assert targets == [f"/{turn}".encode() for turn in range(100)]


def test_a_stale_connection_is_replaced_for_an_idempotent_request(stage: OpenStage) -> None:
    # spec: F2: the close crosses the request on its way
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(ok(b"ok"))
        if peer.number == 0:
            peer.head()
            peer.reset()
        else:
            echo()(peer)

    with stage(script) as on, on.connect() as client:
        assert client.ask(get("/first", host=on.host)).status == 200
        assert client.ask(get("/second", host=on.host)).status == 200


def test_an_instance_that_promises_to_keep_connections_is_believed(stage: OpenStage) -> None:
    # spec: F2: half of the time; without a word a request that must not be repeated trusts none for over a second
    pause = threading.Event()
    with stage(reply(lambda _: ok(b"ok", "Keep-Alive: timeout=60"))) as on, on.connect() as client:
        for _ in range(2):
            assert client.ask(post("/", b"x", host=on.host)).status == 200
            pause.wait(1.3)
        assert on.instance.connections == 1


def test_a_connection_is_reused_when_both_sides_agree(stage: OpenStage) -> None:
    # spec: F4
    with stage(echo()) as on, on.connect() as client:
        numbers = {Echo(client.ask(get(host=on.host))).connection for _ in range(10)}
    assert numbers == {0}


@pytest.mark.parametrize("line", ["Connection: close", "Connection: Close, x"])
def test_a_connection_that_the_instance_ends_is_not_reused(stage: OpenStage, line: str) -> None:
    # spec: F4
    with stage(answer_and_close(ok(b"ok", line))) as on, on.connect() as client:
        for _ in range(5):
            assert client.ask(post("/", b"x", host=on.host)).status == 200
        assert on.instance.connections == 5


def _reached(statuses: Counter[int], enough: int) -> bool:
    return sum(statuses.values()) >= enough


def test_no_error_while_instances_come_and_go_under_load(tmp_path: Path) -> None:
    # spec: F1, F2: idempotent requests only, so that every failure can be mended
    sock, stop = reserve(), threading.Event()
    statuses: Counter[int] = Counter()

    def load(door: FrontDoor) -> None:
        with door.connect() as client:
            while not stop.is_set():
                statuses[client.ask(get()).status] += 1

    with (
        Instance(echo("steady")) as steady,
        FrontDoor(configure(address_text(sock), steady.address), tmp_path) as door,
    ):
        threads = [threading.Thread(target=load, args=(door,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        address = sock.getsockname()
        for _ in range(4):
            with Instance(echo("flaky"), sock=sock) as flaky:
                flaky.wait_requests(20)
            enough = sum(statuses.values()) + 50
            wait_for(partial(_reached, statuses, enough), "requests without it")
            sock = reserve(*address)
        stop.set()
        for thread in threads:
            thread.join()
        sock.close()
    assert set(statuses) == {200}, statuses
