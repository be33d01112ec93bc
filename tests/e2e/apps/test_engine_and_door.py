"""The engine's side of its line to the door: placements as they change, sleep and wake, and a reload."""

from __future__ import annotations

import json
import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Self

import pytest

from lb.apps.service.placements import Activity, Applied, InstanceVerdict, WakeWanted, door_event_line, subscribe_line
from tests.e2e.harness.engine import EngineHome, get
from tests.e2e.harness.waiting import wait_for

pytestmark = pytest.mark.long


class FakeDoor:
    """Speaks as the health process does: its workers follow each placement at once. Use it in a `with`."""

    def __init__(self, home: EngineHome, file: str | None = None) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(home.socket))
        self._lines = self._socket.makefile("rb")
        self._socket.sendall(subscribe_line(file or str(home.file)))
        self._heard: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.greeting = self.next()

    def _read(self) -> None:
        with suppress(OSError, ValueError):
            for line in self._lines:
                one: dict[str, Any] = json.loads(line)
                if one.get("event") == "placement":
                    self.say(Applied(one["app"], one["environment"], one["generation"]))
                self._heard.put(one)

    def next(self) -> dict[str, Any]:
        return self._heard.get(timeout=60)

    def until(self, environment: str, **wanted: object) -> dict[str, Any]:
        """The next placement of an environment that has these fields."""
        while True:
            one = self.next()
            if (
                one["event"] == "placement"
                and one["environment"] == environment
                and all(one[key] == value for key, value in wanted.items())
            ):
                return one

    def say(self, event: Activity | Applied | WakeWanted | InstanceVerdict) -> None:
        self._socket.sendall(door_event_line(event))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join(60)
        self._lines.close()
        self._socket.close()


@pytest.fixture(scope="module")
def home() -> Iterator[EngineHome]:
    with EngineHome(staging="{deploy: true, sleep: 1s}") as home:
        yield home


@pytest.fixture
def serving(home: EngineHome) -> EngineHome:
    """A version is in production, whichever tests have run before."""
    if not home.ps()["instances"]:
        assert home.deploy(home.project("two")).code == 0
    return home


def test_a_door_hears_of_every_environment_and_then_of_changes(home: EngineHome) -> None:
    # spec: A5
    with FakeDoor(home) as door:
        assert door.greeting["ok"]
        first = [door.next() for _ in range(3)]
        assert [(one.get("environment"), one.get("state")) for one in first[:2]] == [
            ("production", "never"),
            ("staging", "never"),
        ]
        assert first[2] == {"event": "synchronised"}
        assert home.deploy(home.project("one")).code == 0
        placed = door.until("production", state="running")
        (row,) = placed["instances"]
        assert get(row["endpoint"]).split()[0] == "one"
        assert home.deploy(home.project("two")).code == 0
        switched = door.until("production")
        assert switched["generation"] > placed["generation"]
        (new,) = switched["instances"]
        assert new["id"] != row["id"], "the switch is one message with all rows"


def test_a_door_hears_what_instances_use(serving: EngineHome) -> None:
    # spec: O1
    home = serving
    with FakeDoor(home) as door:
        usage = door.next()
        while usage["event"] != "usage":
            usage = door.next()
        figures = usage["instances"][home.ps()["instances"][0]["id"]]  # the version before may drain still
        assert figures["memory"] > 1 << 20
        assert figures["restarts"] == 0


def test_another_files_door_is_refused(home: EngineHome) -> None:
    with FakeDoor(home, "/etc/lb/other.yaml") as door:
        answer = door.greeting
        assert not answer["ok"]
        assert "/etc/lb/other.yaml" in answer["sentence"]


def test_it_sleeps_and_one_request_wakes_it(home: EngineHome) -> None:
    # spec: A6
    assert home.deploy(home.project("sleeper"), "--staging").code == 0
    with FakeDoor(home) as door:
        placed = door.until("staging", state="running")
        (row,) = placed["instances"]
        door.say(Activity("shop", "staging", 5.0))
        dozing = door.until("staging", state="asleep")
        assert [one["state"] for one in dozing["instances"]] == ["ASLEEP"]
        assert get(row["endpoint"]).split()[0] == "sleeper", "it runs until the door has looked once more"
        door.say(Activity("shop", "staging", 6.0))
        assert door.until("staging", instances=[])["state"] == "asleep"
        for _ in range(100):
            door.say(WakeWanted("shop", "staging"))
        awake = door.until("staging", state="running")
        (row,) = awake["instances"]
        assert get(row["endpoint"]).split()[0] == "sleeper"
        assert len(home.ps("staging")["instances"]) == 1


def test_an_instance_that_the_door_finds_ill_is_replaced_beside(serving: EngineHome) -> None:
    # spec: A1
    home = serving
    with FakeDoor(home) as door:
        placed = door.until("production", state="running")
        (row,) = placed["instances"]
        door.say(InstanceVerdict("shop", "production", row["id"], False, "503 Service Unavailable"))
        replaced = door.until("production", state="running")
        while replaced["instances"][0]["id"] == row["id"]:
            replaced = door.until("production", state="running")
        assert get(replaced["instances"][0]["endpoint"]).split()[0] == get(row["endpoint"]).split()[0]
    assert "503 Service Unavailable" in home.ps()["instances"][0]["last_cause"]


def test_a_reload_changes_counts_and_takes_environments_away(serving: EngineHome) -> None:
    # spec: A5
    home = serving
    release = home.ps()["release"]
    wait_for(lambda: not home.ps()["retiring"], "drains to end", 30)
    home.production = "{deploy: true, count: 2}"
    home.write()
    done = home.lb("engine", "reload")
    assert "restarts its instances one by one" in done.out
    wait_for(lambda: len(home.endpoints()) == 2, "two instances", 30)
    home.keys = ", isolation: bwrap"
    text = home.file.read_text(encoding="utf-8")
    home.file.write_text(text.replace("isolation: none", "isolation: bwrap"), encoding="utf-8")
    refused = home.lb("engine", "reload")
    assert refused.code == 1
    assert "engine.isolation does not change by a reload" in refused.err
    home.keys = ""
    with FakeDoor(home) as door:
        home.write(apps="\n  shop: {domains: stg-shop.example.com, staging: {deploy: true}}\n")
        assert "no longer deployed" in home.lb("engine", "reload").out
        assert door.until("production", state="gone")["instances"] == []
    home.write()
    assert home.lb("engine", "reload").code == 0
    assert release in [one["tag"] for one in home.lb("releases", "shop", "--json").json["releases"]]
    broken = home.file.read_text(encoding="utf-8")
    home.file.write_text(broken + "nonsense: 1\n", encoding="utf-8")
    assert home.lb("engine", "reload").code == 78
    home.file.write_text(broken, encoding="utf-8")
