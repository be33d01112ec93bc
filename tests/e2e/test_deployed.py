"""What the front door makes of an engine's words, and what it tells the engine, which is one of the tests' own."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from lb.apps.service.placements import PlacementState
from tests.e2e.harness import process
from tests.e2e.harness.client import get, message
from tests.e2e.harness.door import FrontDoor
from tests.e2e.harness.expect import proxy_error
from tests.e2e.harness.fake_engine import DoorWithFakeEngine, asleep, at
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.load import load
from tests.e2e.harness.scripts import echo, ok
from tests.e2e.harness.tunnels import echoing_instance
from tests.e2e.harness.waiting import wait_for
from tests.e2e.harness.wire import Response

_HOME = get("/")


def health_of(door: FrontDoor) -> list[int]:
    """The health process of a front door."""
    return [pid for pid in process.children(door.pid) if process.title(pid) == "lb: health"]


def served_by(response: Response) -> str:
    assert response.status == 200, (response.status, response.body)
    name: str = json.loads(response.body)["instance"]
    return name


def error_of(response: Response) -> tuple[int, str]:
    return response.status, proxy_error(response)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DoorWithFakeEngine]:
    """An environment whose requests wake it for two seconds at most."""
    with DoorWithFakeEngine(tmp_path, {"sleep": "1h", "wake_timeout": "2s"}) as world:
        yield world


@pytest.fixture
def instance() -> Iterator[Instance]:
    with Instance(echo("one")) as instance:
        yield instance


def test_an_app_that_was_never_deployed_says_what_to_type(world: DoorWithFakeEngine) -> None:
    # spec: E1
    with world.start() as door:
        wait_for(lambda: world.engine.subscriptions, "the door to subscribe")
        answers = [door.ask(_HOME) for _ in range(4)]
        assert {error_of(answer) for answer in answers} == {(503, "app_not_deployed")}
        assert b"lb deploy shop --prod" in answers[0].body
        assert answers[0].one("Retry-After") == b"5"
        page = door.ask(get("/", "Accept: text/html"))
        assert b"<code>" in page.body or b"lb deploy shop --prod" in page.body


def test_a_switch_is_one_step(world: DoorWithFakeEngine) -> None:
    # spec: A2
    with ExitStack() as stack:
        one, two = (stack.enter_context(Instance(echo("old"))) for _ in range(2))
        three, four = (stack.enter_context(Instance(echo("new"))) for _ in range(2))
        door = stack.enter_context(world.start())
        world.engine.wait_applied(world.engine.serve(one.address, two.address))
        clients = 8
        with load(door, _HOME, clients) as outcomes:
            for _ in range(5):
                world.engine.wait_applied(world.engine.serve(three.address, four.address))
                world.engine.wait_applied(world.engine.serve(one.address, two.address))
            world.engine.wait_applied(world.engine.serve(three.address, four.address))
            before = len(one.requests) + len(two.requests)
            served = outcomes.total()
            wait_for(lambda: outcomes.total() > served + 50 * clients, "more requests")
            assert len(one.requests) + len(two.requests) <= before + clients  # each may have had one on its way
        assert set(outcomes) == {"200"}


def test_a_row_may_name_a_unix_socket(world: DoorWithFakeEngine, tmp_path: Path) -> None:
    with Instance(echo("unix"), path=world.runtime / "app.sock") as instance, world.start() as door:
        world.engine.wait_applied(world.engine.serve(instance.address))
        assert served_by(door.ask(_HOME)) == "unix"
        assert door.wait_log(status=200)["instance"] == "web1 (20261130-091500)"


def test_what_runs_on_a_retired_instance_ends_well_and_is_told(world: DoorWithFakeEngine, instance: Instance) -> None:
    # spec: A2 F4
    go_on = threading.Event()

    def slow(peer: Peer) -> None:
        while True:
            peer.request()
            go_on.wait(20)
            peer.send(ok(b"at last"))

    with Instance(slow) as old, world.start() as door, door.connect() as client:
        placement = world.engine.serve(old.address)
        world.engine.wait_applied(placement)
        client.send(_HOME)
        old.wait_peers(1)
        identity = placement.instances[0].id

        def figures() -> dict[str, Any]:
            told = world.engine.said("activity")
            found: dict[str, Any] = told[-1]["instances"].get(identity, {}) if told else {}
            return found

        wait_for(lambda: figures().get("in_flight") == 1, "the request to be told", 20.0)
        world.engine.wait_applied(world.engine.serve(instance.address))
        assert served_by(door.ask(_HOME)) == "one"
        wait_for(
            lambda: world.engine.said("activity")[-1]["instances"].get(identity, {}).get("in_flight") == 1, "it", 20.0
        )
        go_on.set()
        assert client.response().body == b"at last"
        wait_for(lambda: identity not in world.engine.said("activity")[-1]["instances"], "it to be forgotten", 20.0)


def test_a_tunnel_to_a_retired_instance_goes_on_and_is_told(world: DoorWithFakeEngine, instance: Instance) -> None:
    # spec: F4
    with echoing_instance() as address, world.start() as door, door.connect() as client:
        placement = world.engine.serve(address)
        world.engine.wait_applied(placement)
        client.send(message("GET /tunnel", "Connection: Upgrade", "Upgrade: echo"))
        assert client.head().status == 101
        world.engine.wait_applied(world.engine.serve(instance.address))
        identity = placement.instances[0].id

        def told() -> dict[str, Any]:
            events = world.engine.said("activity")
            found: dict[str, Any] = events[-1]["instances"].get(identity, {}) if events else {}
            return found

        wait_for(lambda: told().get("tunnels") == 1, "the tunnel to be told", 20.0)
        assert told()["in_flight"] == 0
        client.send(b"still here")
        assert client.stream.exactly(10) == b"still here"
        client.close()
        wait_for(lambda: identity not in world.engine.said("activity")[-1]["instances"], "the tunnel to be gone", 20.0)


def test_while_the_engine_is_away_traffic_goes_on(world: DoorWithFakeEngine, instance: Instance) -> None:
    # spec: A2
    with world.start() as door:
        placement = world.engine.serve(instance.address)
        world.engine.wait_applied(placement)
        with load(door, _HOME) as outcomes:
            world.engine.close()
            served = outcomes.total()
            wait_for(lambda: outcomes.total() > served + 50, "more requests")
            world.restart_engine()
            world.engine.wait_applied(placement)
            world.engine.say_again()
            world.engine.hang_up()
            wait_for(lambda: world.engine.subscriptions == 2, "the door to come again")
        assert set(outcomes) == {"200"}
        assert instance.connections <= 8 * 2 + 2, "rows that are said again are the same rows"


def test_the_health_process_is_killed(world: DoorWithFakeEngine, instance: Instance) -> None:
    with world.start() as door:
        world.engine.wait_applied(world.engine.serve(instance.address))
        for _ in range(5):
            door.ask(_HOME)
        told = wait_for(
            lambda: [one for one in world.engine.said("activity") if sum_of(one) == 5], "five requests to be told", 20.0
        )
        assert told
        (health,) = health_of(door)
        os.kill(health, signal.SIGKILL)
        wait_for(lambda: world.engine.subscriptions == 2, "another one to subscribe", 20.0)
        door.ask(_HOME)
        wait_for(lambda: sum_of(world.engine.said("activity")[-1]) == 6, "the sixth", 20.0)


def sum_of(activity: dict[str, Any]) -> int:
    return sum(int(one["requests"]) for one in activity["instances"].values())


def test_a_worker_is_killed_and_its_figures_stay(world: DoorWithFakeEngine, instance: Instance) -> None:
    with world.start() as door:
        world.engine.wait_applied(world.engine.serve(instance.address))
        for _ in range(5):
            door.ask(_HOME)
        wait_for(lambda: sum_of((world.engine.said("activity") or [{"instances": {}}])[-1]) == 5, "five", 20.0)
        for worker in [pid for pid in door.workers if process.title(pid).startswith("lb: worker")]:
            os.kill(worker, signal.SIGKILL)
        wait_for(lambda: outcome_is(door, 200), "others to serve")
        wait_for(lambda: sum_of(world.engine.said("activity")[-1]) >= 6, "five and one", 20.0)


def outcome_is(door: FrontDoor, status: int) -> bool:
    try:
        return door.ask(_HOME).status == status
    except (ConnectionError, AssertionError):
        return False


# Sleep


def test_requests_wait_for_one_wake(world: DoorWithFakeEngine, instance: Instance) -> None:
    # spec: L5
    with world.start() as door:
        world.engine.wait_applied(world.engine.place(PlacementState.ASLEEP))
        answers: list[Response] = []
        asking = [threading.Thread(target=lambda: answers.append(door.ask(_HOME))) for _ in range(20)]
        for one in asking:
            one.start()
        world.engine.wait_said("wanted", app="shop", environment="production")
        world.engine.place(PlacementState.WAKING)
        assert not answers
        begun = time.monotonic()
        world.engine.serve(instance.address)
        for one in asking:
            one.join(10)
        assert time.monotonic() - begun < 2.0
        assert [served_by(answer) for answer in answers] == ["one"] * 20
        assert len(world.engine.said("wanted")) <= 2, "once from each worker"


def test_a_client_that_leaves_does_not_stop_the_wake(world: DoorWithFakeEngine, instance: Instance) -> None:
    with world.start() as door:
        world.engine.wait_applied(world.engine.place(PlacementState.ASLEEP))
        with door.connect() as client:
            client.send(_HOME)
            world.engine.wait_said("wanted")
        world.engine.wait_applied(world.engine.serve(instance.address))
        assert served_by(door.ask(_HOME)) == "one"


def test_what_is_about_to_end_gets_no_request(world: DoorWithFakeEngine, instance: Instance) -> None:
    with world.start() as door, door.connect() as client:
        running = at(instance.address)
        world.engine.wait_applied(world.engine.place(PlacementState.RUNNING, running))
        assert served_by(door.ask(_HOME)) == "one"
        world.engine.wait_applied(world.engine.place(PlacementState.ASLEEP, asleep(running)))
        client.send(_HOME)
        world.engine.wait_said("wanted")
        assert len(instance.requests) == 1
        world.engine.place(PlacementState.RUNNING, running)
        assert served_by(client.response()) == "one"


@pytest.mark.parametrize("path", ["/robots.txt", "/robots.txt?x=1", "/.well-known/acme-challenge/token"])
def test_who_does_not_wake_it(world: DoorWithFakeEngine, path: str) -> None:
    with world.start() as door:
        world.engine.wait_applied(world.engine.place(PlacementState.ASLEEP))
        refused = door.ask(get(path))
        assert error_of(refused) in ((503, "app_asleep"), (404, "challenge_not_found"))
        assert world.engine.said("wanted") == []


def test_a_quiet_path_does_not_keep_it_awake(world: DoorWithFakeEngine, instance: Instance) -> None:
    with world.start() as door:
        world.engine.wait_applied(world.engine.serve(instance.address))
        wait_for(lambda: idle_of(world) > 1.5, "it to be idle", 20.0)
        assert served_by(door.ask(get("/robots.txt"))) == "one"
        wait_for(lambda: idle_of(world) > 4.0, "it to be idle for longer", 20.0)
        door.ask(_HOME)
        wait_for(lambda: idle_of(world) < 1.5, "it to be used", 20.0)


def idle_of(world: DoorWithFakeEngine) -> float:
    told = world.engine.said("activity")
    return float(told[-1]["idle"]) if told else 0.0


def test_a_wake_that_takes_too_long(world: DoorWithFakeEngine) -> None:
    # spec: L3
    with world.start() as door:
        world.engine.wait_applied(world.engine.place(PlacementState.ASLEEP))
        refused = door.ask(_HOME)
        assert error_of(refused) == (503, "app_start_timeout")
        assert refused.one("Retry-After") == b"5"


def test_a_wake_that_fails_is_tried_again_after_a_while(world: DoorWithFakeEngine, instance: Instance) -> None:
    with world.start() as door, door.connect() as client:
        world.engine.wait_applied(world.engine.place(PlacementState.ASLEEP))
        client.send(_HOME)
        world.engine.wait_said("wanted")
        retry_at = time.time() + 3.0
        world.engine.wait_applied(world.engine.place(PlacementState.FAILED, cause="exit status 3", retry_at=retry_at))
        refused = client.response()
        assert error_of(refused) == (503, "app_start_failed")
        assert 1 <= int(refused.one("Retry-After")) <= 3
        assert b"exit status" not in refused.body, "why is for the operator"
        wanted = len(world.engine.said("wanted"))
        assert error_of(door.ask(_HOME)) == (503, "app_start_failed")
        assert len(world.engine.said("wanted")) == wanted
        wait_for(lambda: time.time() > retry_at, "the next try")
        client.send(_HOME)
        wait_for(lambda: len(world.engine.said("wanted")) > wanted, "another wake")
        world.engine.serve(instance.address)
        assert served_by(client.response()) == "one"


def test_so_many_may_wait(tmp_path: Path) -> None:
    # spec: L5
    keys = {"wake_timeout": "10s"}
    with DoorWithFakeEngine(tmp_path, keys, workers=1, limits={"waiting": 3}) as world, ExitStack() as stack:
        door = stack.enter_context(world.start())
        world.engine.wait_applied(world.engine.place(PlacementState.ASLEEP))
        clients = [door.connect() for _ in range(3)]
        for client in clients:
            client.send(_HOME)
        wait_for(lambda: any(one["waiting"] == 3 for one in world.engine.said("activity")), "three to wait", 20.0)
        assert error_of(door.ask(_HOME)) == (503, "connection_limit_reached")
        for client in clients:
            client.close()


# Health


def test_the_doors_checks_judge_and_are_told(tmp_path: Path) -> None:
    # spec: A1
    well = threading.Event()
    well.set()

    def app(peer: Peer) -> None:
        while True:
            request = peer.request()
            passes = well.is_set() and request.target == b"/__engine/1/ping"
            asked = b"lb-health" in dict(request.fields).get(b"User-Agent", b"")
            peer.send(ok(b"", status="200 OK" if passes or not asked else "404 Not Found"))

    keys = {"health_checks": True, "health_interval": "200ms"}
    with DoorWithFakeEngine(tmp_path, keys) as world, Instance(app) as ill, ExitStack() as stack:
        other = stack.enter_context(Instance(echo("well")))
        door = stack.enter_context(world.start())
        placement = world.engine.serve(ill.address, other.address)
        world.engine.wait_applied(placement)
        assert door.ask(_HOME).status == 200
        well.clear()
        told = world.engine.wait_said("unhealthy", id=placement.instances[0].id)
        assert "404" in told["cause"]
        wait_for(lambda: served_by_only(door, "well"), "the other one alone to serve")
        world.engine.hang_up()
        wait_for(lambda: len(world.engine.said("unhealthy")) == 2, "it to be told anew", 20.0)
        well.set()
        world.engine.wait_said("healthy", id=placement.instances[0].id)


def served_by_only(door: FrontDoor, name: str) -> bool:
    answers = [door.ask(_HOME) for _ in range(6)]
    return all(answer.body.startswith(b"{") and json.loads(answer.body)["instance"] == name for answer in answers)


# Reload and upgrade


def test_a_reload_keeps_what_the_engine_has_said(world: DoorWithFakeEngine, instance: Instance) -> None:
    # spec: R2
    with world.start() as door:
        placement = world.engine.serve(instance.address)
        world.engine.wait_applied(placement)
        with load(door, _HOME) as outcomes:
            world.config["apps"]["shop"]["production"]["count"] = 20
            assert door.reload(world.config)
            world.config["apps"]["shop"]["production"]["count"] = 1
            assert door.reload(world.config)
        assert set(outcomes) == {"200"}
        assert len(world.engine.said("reload")) == 2
        del world.config["apps"]["shop"]["production"]["deploy"]
        del world.config["apps"]["shop"]["production"]["wake_timeout"]
        del world.config["apps"]["shop"]["production"]["sleep"]
        del world.config["apps"]["shop"]["production"]["count"]
        world.config["apps"]["shop"]["production"]["instances"] = [instance.address]
        assert door.reload(world.config)
        assert served_by(door.ask(_HOME)) == "one"


def test_an_upgrade_serves_before_the_engine_is_heard(world: DoorWithFakeEngine, instance: Instance) -> None:
    # spec: R2
    door = world.start()
    try:
        world.engine.wait_applied(world.engine.serve(instance.address))
        world.engine.close()
        world.env["NOTIFY_SOCKET"] = str(world.runtime / "nobody")
        door.signal(signal.SIGUSR2)
        outcomes = []
        while door.process.poll() is None:
            outcomes.append(door.ask(_HOME).status)
        assert served_by(door.ask(_HOME)) == "one"
        assert set(outcomes) == {200}
    finally:
        door.kill()  # its successor, too


def test_an_engine_that_refuses_the_door_is_told_in_the_log(world: DoorWithFakeEngine) -> None:
    world.engine.refusal = "this engine runs what another file deploys"
    with world.start() as door:
        wait_for(lambda: any("does not serve this front door" in line for line in door.stderr), "the line")


@pytest.mark.long
def test_without_an_engine_requests_wait_a_moment_and_then_fail(world: DoorWithFakeEngine) -> None:
    # spec: E1
    world.engine.close()
    world.env["NOTIFY_SOCKET"] = str(world.runtime / "nobody")  # under systemd the engine is a service of its own
    with world.start() as door:
        assert error_of(door.ask(_HOME)) == (503, "engine_unavailable")
        wait_for(lambda: any("no engine runs: start" in line for line in door.stderr), "the log to say so", 20.0)
        begun = time.monotonic()
        assert error_of(door.ask(_HOME)) == (503, "engine_unavailable")
        assert time.monotonic() - begun < 1.0
