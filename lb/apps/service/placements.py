"""What the engine service and the door say to each other: which instances serve, and what the door sees of them.

The door's health process connects to the engine's Unix socket (`lb.apps.service.engine_socket.find_engine`), sends one
line of JSON, and both sides then send lines of JSON until one of them closes. Every line is an object; what a reader
does not know, an event or a field, is ignored, so that either side may be the newer one.

    door     {"protocol": 1, "command": "subscribe", "file": "/etc/lb/lb.yaml"}
    engine   {"protocol": 1, "ok": true, "version": "…", "pid": 4711}       or {"ok": false, "error": "…"}, and closes
    engine   {"event": "placement", …}          one for each environment that is deployed, whether anything runs or not
    engine   {"event": "synchronised"}          all of them were sent; rows of environments not named belong to nobody
    engine   {"event": "placement", …}          whenever one changes; for an environment that was taken away,
                                                state "gone" and no instances
    engine   {"event": "usage", …}              every 5 s for each environment that runs, for status and metrics:
                                                "instances": {id: {"memory", "cpu", "files", "processes", "restarts",
                                                "last_cause"}}; bytes, seconds of CPU since the start, bytes (or -1)
    engine   {"event": "leaving"}               it ends on purpose: nobody has to start another one

`protocol` is the highest version that a side speaks; the lower of the two is spoken. The engine refuses a door that
serves another file than its own. The door connects again, with a pause, when the line ends; its rows stay meanwhile.

A placement is *all* that serves one environment, and its `generation` rises with each change:

    {"event": "placement", "app": "shop", "environment": "production", "generation": 42, "state": "running",
     "release": "20261130-091500", "cause": "", "instances": [
        {"id": "1a2b3c4d", "name": "web1", "endpoint": "unix:/run/lb/i/1a2b3c4d.sock", "release": "20261130-091500",
         "state": "HEALTHY"}]}

The door writes all rows of a placement, those that appear and those that go, and raises its table's generation once:
workers change from the old instances to the new ones in one step. An instance that is no longer named is retired: it
gets no new request, running ones end well. A placement whose generation the door has already is a repetition, and one
with a lower generation is old: both are ignored, until a new connection begins. Rows are known by `id`, which is
never used twice; `endpoint` is `unix:/path` or `host:port`.

`state` of a placement (PlacementState):
    never       no release was deployed so far: the door answers 503 with a cause of its own
    running     instances serve; where all of them crash, the list is empty for a while and `cause` says why
    asleep      nothing runs or is about to: a request waits, and the door says `wanted`, once
    waking      an instance starts; requests wait on
    failed      a wake failed: 503 with `cause`; `retry_at` (seconds since the epoch) is when `wanted` starts another
    limited     it has run for as long as it may within a day: 503 with `cause` until `retry_at`; then as asleep
    stopped     `lb stop`: 503
    gone        no longer deployed by this engine
`state` of an instance (RowState): HEALTHY, it passed its start check; ASLEEP, it still runs, but is about to end: new
requests wait as if it had ended already (see `wanted`), running ones end well.

From the door, whenever there is something to say:

    {"event": "applied", "app", "environment", "generation"}    all workers follow this generation by now; what it
                                                                retired begins to drain
    {"event": "wanted", "app", "environment"}                   a request waits for an environment that sleeps; once
                                                                is enough, and once more does no harm
    {"event": "activity", "app", "environment", "idle": 12.5, "waiting": 0, "instances": {
        "1a2b3c4d": {"in_flight": 3, "tunnels": 1, "requests": 1200, "seconds": 31.5, "failures": 2}}}
                                                                each second for an environment whose figures
                                                                changed, every 10 s for all; retired instances are
                                                                named for as long as something of theirs is open
    {"event": "unhealthy", "app", "environment", "id", "cause"} an instance fails the door's checks
    {"event": "healthy", "app", "environment", "id"}            and passes them again

`idle` is the number of seconds since the last request that counts (health checks, hits of the cache, ACME and probes
of robots do not). `requests`, `seconds` (time until the response began, summed up) and `failures` are totals since the
instance got its row. An instance that is not in `instances` has nothing open.

This file knows the messages and their spelling. It must not know sockets, processes, or how a table is written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

PROTOCOL = 1
LONGEST_LINE = 1 << 20  # bytes; a placement with a thousand instances is far shorter


class PlacementState(StrEnum):
    """What is to be expected of an environment as a whole."""

    NEVER = "never"
    RUNNING = "running"
    ASLEEP = "asleep"
    WAKING = "waking"
    FAILED = "failed"
    LIMITED = "limited"
    STOPPED = "stopped"
    GONE = "gone"


class RowState(StrEnum):
    """What is to be done with requests for one instance."""

    HEALTHY = "HEALTHY"
    ASLEEP = "ASLEEP"


@dataclass(frozen=True, slots=True)
class PlacedInstance:
    """One instance that serves."""

    id: str
    name: str
    endpoint: str
    release: str
    state: RowState = RowState.HEALTHY


@dataclass(frozen=True, slots=True)
class Placement:
    """All that serves one environment."""

    app: str
    environment: str
    generation: int
    state: PlacementState
    release: str = ""
    instances: tuple[PlacedInstance, ...] = ()
    cause: str = ""
    retry_at: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return {"event": "placement", **asdict(self)}

    @staticmethod
    def from_json(message: Mapping[str, Any]) -> Placement:
        """Raises KeyError, TypeError or ValueError where it is none."""
        return Placement(
            str(message["app"]),
            str(message["environment"]),
            int(message["generation"]),
            PlacementState(message["state"]),
            str(message.get("release", "")),
            tuple(_placed(one) for one in message.get("instances", ())),
            str(message.get("cause", "")),
            float(message.get("retry_at", 0.0)),
        )


def _placed(one: Mapping[str, Any]) -> PlacedInstance:
    return PlacedInstance(
        str(one["id"]),
        str(one["name"]),
        str(one["endpoint"]),
        str(one["release"]),
        RowState(one.get("state", RowState.HEALTHY)),
    )


@dataclass(frozen=True, slots=True)
class InstanceFigures:
    """What the door counts of one instance: what is open now, and totals since it got its row."""

    in_flight: int = 0
    tunnels: int = 0
    requests: int = 0
    seconds: float = 0.0
    failures: int = 0

    @property
    def is_busy(self) -> bool:
        return bool(self.in_flight or self.tunnels)


@dataclass(frozen=True, slots=True)
class Activity:
    """What the door sees of an environment."""

    app: str
    environment: str
    idle: float
    waiting: int = 0
    instances: Mapping[str, InstanceFigures] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Applied:
    """All workers follow this generation, or a later one."""

    app: str
    environment: str
    generation: int


@dataclass(frozen=True, slots=True)
class WakeWanted:
    """A request waits for an environment that sleeps."""

    app: str
    environment: str


@dataclass(frozen=True, slots=True)
class InstanceVerdict:
    """What the door's checks say of one instance."""

    app: str
    environment: str
    id: str
    is_healthy: bool
    cause: str = ""


DoorEvent = Activity | Applied | WakeWanted | InstanceVerdict


def door_event_line(event: DoorEvent) -> bytes:
    """An event of the door as a line."""
    message = asdict(event)
    match event:
        case Activity():
            message["event"] = "activity"
        case Applied():
            message["event"] = "applied"
        case WakeWanted():
            message["event"] = "wanted"
        case InstanceVerdict():
            message["event"] = "healthy" if message.pop("is_healthy") else "unhealthy"
    return line_of(message)


def read_door_event(message: Mapping[str, Any]) -> DoorEvent | None:
    """What the door said; None for what this version does not know. Raises as `Placement.from_json`."""
    kind = message.get("event")
    if kind not in ("activity", "applied", "wanted", "healthy", "unhealthy"):
        return None
    app, environment = str(message["app"]), str(message["environment"])
    match kind:
        case "activity":
            figures = {str(key): _figures(one) for key, one in dict(message.get("instances", {})).items()}
            return Activity(app, environment, float(message["idle"]), int(message.get("waiting", 0)), figures)
        case "applied":
            return Applied(app, environment, int(message["generation"]))
        case "wanted":
            return WakeWanted(app, environment)
        case _:
            cause = str(message.get("cause", ""))
            return InstanceVerdict(app, environment, str(message["id"]), kind == "healthy", cause)


def _figures(one: Mapping[str, Any]) -> InstanceFigures:
    return InstanceFigures(
        int(one.get("in_flight", 0)),
        int(one.get("tunnels", 0)),
        int(one.get("requests", 0)),
        float(one.get("seconds", 0.0)),
        int(one.get("failures", 0)),
    )


def subscribe_line(file: str) -> bytes:
    """What the door begins with."""
    return line_of({"protocol": PROTOCOL, "command": "subscribe", "file": file})


def line_of(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def read_line(line: bytes) -> dict[str, Any]:
    """The object in a line. Raises ValueError where there is none."""
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("it is not an object")  # noqa: TRY004  a message's fault, not the caller's
    return message
