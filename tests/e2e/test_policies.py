"""Policies of balancing on the running product: which instance, what a failure is, who waits, what is sent again."""

from __future__ import annotations

import itertools
import re
import socket
import threading
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import HOST, get, post
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.expect import assert_error
from tests.e2e.harness.instance import Instance, Peer, Script, address_text, reserve
from tests.e2e.harness.metrics import metric
from tests.e2e.harness.scripts import Echo, close_unanswered, echo, ok
from tests.e2e.harness.waiting import wait_for
from tests.e2e.harness.wire import Response

POLICIES = ("round_robin", "least_connections", "power_of_two", "consistent_hash", "sticky")


def policy(*instances: str, workers: int = 1, top: dict[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
    config = configure(*instances, workers=workers, **(top or {}))
    config["apps"]["shop"]["production"].update(keys)
    return config


@pytest.mark.parametrize("balance", POLICIES)
def test_every_policy_uses_all_and_passes_over_who_fails(tmp_path: Path, balance: str) -> None:
    # spec: F1, F2
    sock = reserve()
    with ExitStack() as stack:
        steady = [stack.enter_context(Instance(echo(name))) for name in "ab"]
        config = policy(
            *[one.address for one in steady],
            address_text(sock),
            balance=balance,
            fail_duration="50ms",
            hash_on="uri",
        )
        door = stack.enter_context(FrontDoor(config, tmp_path))
        numbers = itertools.count()

        def ask() -> str:
            return Echo(door.ask(post(f"/{next(numbers)}", b"x"))).instance

        assert {ask() for _ in range(40)} == {"a", "b"}
        with Instance(echo("c"), sock=sock):
            wait_for(lambda: ask() == "c", "the third one to be used")
            assert {ask() for _ in range(60)} == {"a", "b", "c"}
        assert {ask() for _ in range(40)} == {"a", "b"}


def test_the_same_key_reaches_the_same_instance_from_every_worker(tmp_path: Path) -> None:
    # spec: F1
    with ExitStack() as stack:
        instances = [stack.enter_context(Instance(echo(name))) for name in "abcd"]
        addresses = [one.address for one in instances]
        config = policy(*addresses, workers=2, balance="consistent_hash", hash_on="header:X-User")
        door = stack.enter_context(FrontDoor(config, tmp_path))
        users = [f"X-User: {number}" for number in range(40)]

        def owners() -> dict[str, str]:
            return {user: Echo(door.ask(get("/", user))).instance for user in users}

        before = owners()
        assert set(before.values()) == set("abcd")
        assert all(owners() == before for _ in range(3))
        config["apps"]["shop"]["production"]["instances"] = addresses[:1] + addresses[2:]
        assert door.reload(config)
        after = owners()
        assert {user: name for user, name in before.items() if name != "b"}.items() <= after.items()
        assert "b" not in after.values()


def cookies(response: Response) -> list[bytes]:
    return response.all("set-cookie")


def token(response: Response) -> str:
    [value] = cookies(response)
    found = re.fullmatch(r"lb_instance=([0-9a-f]{32}); Path=/; HttpOnly; SameSite=Lax", value.decode())
    assert found is not None, value
    return found[1]


def test_a_client_sticks_to_its_instance_on_every_worker_and_over_a_reload(tmp_path: Path) -> None:
    # spec: F1
    with ExitStack() as stack:
        addresses = [stack.enter_context(Instance(echo(name))).address for name in "abc"]
        config = policy(*addresses, workers=2, balance="sticky")
        door = stack.enter_context(FrontDoor(config, tmp_path))
        first = door.ask(get())
        own, name = token(first), Echo(first).instance
        assert first.one("cache-control") == b"private"
        for turn in range(20):
            if turn == 10:
                config["apps"]["shop"]["production"]["instances"] = addresses[::-1]
                assert door.reload(config)
            answer = door.ask(post("/", b"x", f"Cookie: a=b; lb_instance={own}; c=d"))
            assert Echo(answer).instance == name
            assert cookies(answer) == []
            assert not answer.has("cache-control")
            assert Echo(answer).one("cookie") == "a=b; c=d"
        others = {Echo(answer).instance: token(answer) for answer in (door.ask(get()) for _ in range(12))}
        assert others[name] == own
        assert len(set(others.values())) == 3


def test_whose_instance_fails_sticks_to_another(tmp_path: Path) -> None:
    # spec: F1, F2
    with Instance(echo("a")) as steady:
        failing = Instance(echo("b"))
        config = policy(steady.address, failing.address, balance="sticky")
        with FrontDoor(config, tmp_path) as door:
            held = next(token(one) for one in (door.ask(get()) for _ in range(4)) if Echo(one).instance == "b")
            failing.stop()
            moved = door.ask(post("/", b"x", f"Cookie: lb_instance={held}"))
            assert Echo(moved).instance == "a"
            assert token(moved) != held
            stays = door.ask(get("/", f"Cookie: lb_instance={token(moved)}"))
            assert Echo(stays).instance == "a"
            assert cookies(stays) == []
            forged = door.ask(get("/", "Cookie: lb_instance=" + "0" * 32))
            assert token(forged) == token(moved)


def test_the_cookie_as_it_is_configured_and_over_https(tmp_path: Path, authority: Authority) -> None:
    # spec: F1
    with Instance(echo()) as instance:
        config = policy(
            instance.address,
            balance="sticky",
            sticky_cookie="where",
            sticky_secret="sixteen characters",
            top={"listen": {"http": "127.0.0.1:0", "https": "127.0.0.1:0"}, "tls": tls_config(authority.issue(HOST))},
        )
        with FrontDoor(config, tmp_path) as door:
            with door.connect_tls(authority.context(), HOST) as client:
                [secure] = cookies(client.ask(get()))
            [plain] = cookies(door.ask(get()))
        assert re.fullmatch(rb"where=[0-9a-f]{32}; Path=/; HttpOnly; SameSite=Lax; Secure", secure)
        assert plain == secure.removesuffix(b"; Secure")
        with FrontDoor(config, tmp_path) as door:  # another process: the secret makes the token, nothing else does
            assert cookies(door.ask(get())) == [plain]


def test_an_upgraded_connection_sets_the_cookie_too(tmp_path: Path) -> None:
    # spec: F1, F4
    def switching(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        peer.reading = False
        peer.send(peer.stream.exactly(5))
        peer.wait_gone()

    with (
        Instance(switching) as instance,
        FrontDoor(policy(instance.address, balance="sticky"), tmp_path) as door,
        door.connect() as client,
    ):
        client.send(get("/", "Connection: Upgrade", "Upgrade: echo"))
        head = client.head()
        assert head.status == 101
        assert token(head)
        client.send(b"hello")
        assert client.stream.exactly(5) == b"hello"


def test_statuses_that_are_called_unhealthy_take_an_instance_out(tmp_path: Path) -> None:
    # spec: F1
    def failing(peer: Peer) -> None:
        while True:
            peer.request()
            peer.send(ok(b"no", status="503 Service Unavailable"))

    with Instance(failing) as bad, Instance(echo()) as good:
        config = policy(bad.address, good.address, unhealthy_status=["5xx"], max_fails=3, fail_duration="1h")
        with FrontDoor(config, tmp_path) as door, door.connect() as client:
            statuses = Counter(client.ask(get()).status for _ in range(30))
    assert statuses == {503: 3, 200: 27}


def test_a_late_answer_is_a_failure_where_that_is_configured(tmp_path: Path) -> None:
    # spec: F1
    def slow(peer: Peer) -> None:
        while True:
            peer.request()
            threading.Event().wait(0.3)
            peer.send(ok(b"slow"))

    with Instance(slow) as bad, Instance(echo()) as good:
        config = policy(bad.address, good.address, unhealthy_latency="100ms", fail_duration="1h")
        with FrontDoor(config, tmp_path) as door, door.connect() as client:
            bodies = [client.ask(get()).body for _ in range(10)]
    assert bodies.count(b"slow") == 1
    assert (len(bad.requests), len(good.requests)) == (1, 9)


def test_retries_are_a_share_of_the_requests(tmp_path: Path) -> None:
    # spec: F2: what breaks every request is not sent three times as many
    with Instance(close_unanswered) as one, Instance(close_unanswered) as other:
        config = policy(one.address, other.address, retry_budget="20%", top={"admin": "127.0.0.1:0"})
        with FrontDoor(config, tmp_path) as door:
            with door.connect() as client:
                for _ in range(200):
                    assert_error(client.ask(get()), 502, "connection_terminated")
            wait_for(lambda: metric(door, "lb_requests_total") == 200, "the figures")
            retries, refused = metric(door, "lb_retries_total"), metric(door, "lb_retries_refused_total")
            sent = len(one.requests) + len(other.requests)
        assert sent == 200 + retries
        assert retries <= 40
        assert retries + refused == 200


def test_without_a_budget_every_request_is_repeated(tmp_path: Path) -> None:
    # spec: F2
    with Instance(close_unanswered) as broken, Instance(echo()) as works:
        config = policy(broken.address, works.address, retry_budget=False, fail_duration="1ms")
        with FrontDoor(config, tmp_path) as door:
            assert {door.ask(get()).status for _ in range(60)} == {200}


def test_a_dead_instance_costs_nobody_an_answer_whatever_the_budget(tmp_path: Path) -> None:
    # spec: F2: nothing was sent to it, so nothing is sent again
    with reserve() as dead, Instance(echo()) as works:
        config = policy(address_text(dead), works.address, retry_budget="1%", fail_duration="1ms")
        with FrontDoor(config, tmp_path) as door:
            assert {door.ask(post("/", b"x")).status for _ in range(60)} == {200}


def gated(gate: threading.Semaphore) -> Script:
    def script(peer: Peer) -> None:
        while True:
            request = peer.request()
            gate.acquire(timeout=30)
            peer.send(ok(request.target))

    return script


def test_who_waits_is_served_in_order_and_nobody_overtakes(tmp_path: Path) -> None:
    # spec: L5
    gate = threading.Semaphore(0)
    with (
        Instance(gated(gate)) as instance,
        FrontDoor(policy(instance.address, top={"limits": {"instance_connections": 1}}), tmp_path) as door,
        ExitStack() as stack,
    ):
        clients = [stack.enter_context(door.connect()) for _ in range(8)]
        for number, client in enumerate(clients):
            client.send(get(f"/{number}"))
            _settle(door)  # the order of arrival is certain only when each has been read
        for number, client in enumerate(clients):
            gate.release()
            assert client.response().body == b"/%d" % number
            client.send(get(f"/again{number}"))  # a newcomer, while others still wait
        for _ in clients:
            gate.release()
        targets = [request.target.decode() for request in instance.wait_requests(16)]
        for client in clients:
            client.response()
    assert targets[:8] == [f"/{number}" for number in range(8)]


def _settle(door: FrontDoor) -> None:
    """One more round of the worker: a request of another client has been answered since."""
    assert door.ask(get(host="nobody.example")).status == 404


def test_an_instance_that_is_of_no_use_to_the_first_goes_to_the_next(tmp_path: Path) -> None:
    # spec: L5: the first has been to it already, and waits for the other one
    gate = threading.Semaphore(0)

    def once_broken(peer: Peer) -> None:
        peer.head()
        if peer.number > 0:
            peer.reading = False
            peer.send(ok(b"mended"))
            peer.wait_gone()
        peer.reading = False

    with (
        Instance(gated(gate)) as busy,
        Instance(once_broken) as other,
        FrontDoor(
            policy(busy.address, other.address, max_fails=9, top={"limits": {"instance_connections": 1}}), tmp_path
        ) as door,
        door.connect() as running,
        door.connect() as first,
        door.connect() as next_one,
    ):
        running.send(get("/running"))
        busy.wait_requests(1)
        first.send(get("/first"))
        other.wait_peers(1)
        wait_for(lambda: other.peers[0].gone, "the break")
        _settle(door)
        assert next_one.ask(get("/next")).body == b"mended"
        gate.release()
        assert running.response().body == b"/running"
        gate.release()
        assert first.response().body == b"/first"


def test_who_waits_too_long_is_told_when_to_come_back(tmp_path: Path) -> None:
    # spec: L5
    gate = threading.Semaphore(0)
    limits = {"limits": {"instance_connections": 1}, "timeouts": {"connect": "300ms"}}
    with (
        Instance(gated(gate)) as instance,
        FrontDoor(policy(instance.address, top=limits), tmp_path) as door,
        door.connect() as running,
        door.connect() as waiting,
    ):
        running.send(get("/running"))
        instance.wait_requests(1)
        response = waiting.ask(get())
        assert_error(response, 503, "destination_unavailable")
        assert int(response.one("retry-after")) >= 1
        gate.release()
        assert running.response().body == b"/running"
        gate.release()
        assert waiting.ask(get("/next")).body == b"/next"  # the queue is empty again


def test_a_reload_that_brings_room_serves_those_who_wait(tmp_path: Path) -> None:
    # spec: L5, R2
    gate = threading.Semaphore(0)
    top = {"limits": {"instance_connections": 1}}
    with (
        Instance(gated(gate)) as busy,
        Instance(echo("new")) as new,
        FrontDoor(policy(busy.address, top=top), tmp_path) as door,
        door.connect() as running,
        door.connect() as waiting,
    ):
        running.send(get("/running"))
        busy.wait_requests(1)
        waiting.send(get())
        _settle(door)
        assert door.reload(policy(busy.address, new.address, top=top))
        assert Echo(waiting.response()).instance == "new"
        gate.release()
        assert running.response().body == b"/running"


def _fill(path: Path, stack: ExitStack) -> None:
    """Connect until the queue of this Unix socket is full."""
    while True:
        sock = stack.enter_context(socket.socket(socket.AF_UNIX))
        sock.setblocking(False)
        try:
            sock.connect(str(path))
        except BlockingIOError:
            return


def test_a_full_queue_of_a_unix_socket_is_waited_for(tmp_path: Path, short_path: Path) -> None:
    # spec: F1, L5: it is busy, which is no failure
    path = short_path / "app.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(1)
    with ExitStack() as stack:
        filling = stack.enter_context(ExitStack())
        _fill(path, filling)
        door = stack.enter_context(FrontDoor(policy(f"unix:{path}"), tmp_path))
        clients = [stack.enter_context(door.connect()) for _ in range(3)]
        for client in clients:
            client.send(post("/pay", b"1"))
        _settle(door)
        assert all(client.is_open() for client in clients)
        filling.close()
        instance = stack.enter_context(Instance(echo(), sock=listener, path=path))
        for client in clients:
            assert Echo(client.response()).method == "POST"
        assert len(instance.requests) == 3


def test_a_full_queue_is_no_failure_of_its_instance(tmp_path: Path, short_path: Path) -> None:
    # spec: F1
    path = short_path / "app.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(1)
    with ExitStack() as stack:
        other = stack.enter_context(Instance(echo("other")))
        filling = stack.enter_context(ExitStack())
        _fill(path, filling)
        config = policy(f"unix:{path}", other.address, fail_duration="1h")
        door = stack.enter_context(FrontDoor(config, tmp_path))
        assert [Echo(door.ask(post("/", b"x"))).instance for _ in range(6)] == ["other"] * 6
        filling.close()
        stack.enter_context(Instance(echo("unix"), sock=listener, path=path))
        assert {Echo(door.ask(post("/", b"x"))).instance for _ in range(6)} == {"other", "unix"}


def test_a_new_instance_begins_slowly(tmp_path: Path) -> None:
    # spec: F1
    with (
        Instance(echo("old")) as old,
        Instance(echo("new")) as new,
        FrontDoor(policy(old.address, slow_start="1h"), tmp_path) as door,
        door.connect() as client,
    ):
        assert door.reload(policy(old.address, new.address, slow_start="1h"))
        found = Counter(Echo(client.ask(get())).instance for _ in range(110))
    assert 9 <= found["new"] <= 11  # a tenth of its turns
