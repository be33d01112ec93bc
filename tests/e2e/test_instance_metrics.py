"""What `/metrics` tells of each instance, checked or not: whether it gets requests, and how many it is serving."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.e2e.harness.client import get
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.instance import Instance, Peer, address_text, reserve
from tests.e2e.harness.scripts import ok
from tests.e2e.harness.waiting import wait_for
from tests.e2e.test_health import admin


def told(door: FrontDoor) -> dict[str, tuple[str, str]]:
    """By instance: its share of workers, and its requests in flight."""
    figures: dict[str, dict[str, str]] = {}
    for line in admin(door, "/metrics").decode().splitlines():
        metric, found, labels = line.partition('{app="shop",environment="production",instance="')
        if found:
            instance, _, value = labels.partition('"} ')
            figures.setdefault(metric, {})[instance] = value
    up, in_flight = figures.get("lb_instance_up", {}), figures.get("lb_instance_requests_in_flight", {})
    assert up.keys() == in_flight.keys()
    return {instance: (up[instance], in_flight[instance]) for instance in up}


def test_up_and_in_flight(tmp_path: Path) -> None:
    # spec: F1, E1
    release = threading.Event()

    def script(peer: Peer) -> None:
        while True:
            if peer.request().target == b"/slow":
                release.wait(30)
            peer.send(ok(b"one"))

    with Instance(script) as one, reserve() as closed:
        nobody = address_text(closed)
        config = configure(one.address, nobody, workers=2, admin="127.0.0.1:0")
        config["apps"]["shop"]["production"]["fail_duration"] = "60s"
        with FrontDoor(config, tmp_path) as door, door.connect() as client, door.connect() as other:
            wait_for(lambda: told(door) == {one.address: ("1", "0"), nobody: ("1", "0")}, "all to be up")
            client.send(get("/slow"))
            other.send(get("/slow"))
            wait_for(lambda: told(door)[one.address] == ("1", "2"), "both to be on their way")

            def all_know() -> bool:
                assert door.ask(get()).status == 200
                return told(door)[nobody] == ("0", "0")

            wait_for(all_know, "every worker to pass it over")
            assert told(door)[one.address] == ("1", "2")
            assert door.reload(configure(one.address, workers=1, admin="127.0.0.1:0"))
            wait_for(lambda: told(door).keys() == {one.address}, "what is left to be told")
            release.set()
            assert client.response().body == other.response().body == b"one"
            wait_for(lambda: told(door) == {one.address: ("1", "0")}, "both to have ended")
