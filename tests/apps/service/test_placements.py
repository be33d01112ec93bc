"""What engine and door say to each other survives its spelling, and unknown words are passed over."""

from __future__ import annotations

import json

import pytest

from lb.apps.service.placements import (
    Activity,
    Applied,
    DoorEvent,
    InstanceFigures,
    InstanceVerdict,
    PlacedInstance,
    Placement,
    PlacementState,
    RowState,
    WakeWanted,
    door_event_line,
    line_of,
    read_door_event,
    read_line,
    subscribe_line,
)

PLACEMENT = Placement(
    "shop",
    "production",
    42,
    PlacementState.RUNNING,
    "20261130-091500",
    (
        PlacedInstance("1a2b3c4d", "web1", "unix:/run/lb/i/1a2b3c4d.sock", "20261130-091500"),
        PlacedInstance("5e6f7a8b", "web2", "127.0.0.1:21003", "20261130-091500", RowState.ASLEEP),
    ),
    "",
    0.0,
)
EVENTS: list[DoorEvent] = [
    Activity("shop", "staging", 12.5, 2, {"1a2b3c4d": InstanceFigures(3, 1, 1200, 31.5, 2)}),
    Applied("shop", "production", 42),
    WakeWanted("shop", "staging"),
    InstanceVerdict("shop", "production", "1a2b3c4d", False, "503 Service Unavailable"),
    InstanceVerdict("shop", "production", "1a2b3c4d", True),
]


def test_a_placement_is_read_as_it_was_written() -> None:
    # spec: A5
    assert Placement.from_json(read_line(line_of(PLACEMENT.to_json()))) == PLACEMENT


def test_a_newer_side_may_say_more() -> None:
    message = {**PLACEMENT.to_json(), "weight": 3}
    message["instances"] = [{**one, "zone": "b"} for one in message["instances"]]
    assert Placement.from_json(read_line(line_of(message))) == PLACEMENT


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_of_the_door_is_read_as_it_was_written(event: DoorEvent) -> None:
    assert read_door_event(read_line(door_event_line(event))) == event


def test_an_unknown_event_is_passed_over() -> None:
    assert read_door_event({"event": "weather", "sky": "grey"}) is None


@pytest.mark.parametrize("line", [b"[]\n", b"3\n", b"{\n", b"\xff\n"])
def test_what_is_no_object_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):
        read_line(line)


def test_a_door_says_which_file_it_serves() -> None:
    assert json.loads(subscribe_line("/etc/lb/lb.yaml")) == {
        "protocol": 1,
        "command": "subscribe",
        "file": "/etc/lb/lb.yaml",
    }


def test_only_open_requests_and_tunnels_make_an_instance_busy() -> None:
    assert InstanceFigures(in_flight=1).is_busy
    assert InstanceFigures(tunnels=1).is_busy
    assert not InstanceFigures(requests=7, seconds=1.0, failures=1).is_busy
