"""What an environment's `placement.json` says: what serves, what is retired, and what it should be like.

Renaming the new file over the old one is the switch: the new instances are in and the old ones retired, or nothing has
changed. This file knows the record. It must not know processes, nor who is told about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from lb.apps.service.directory import StateFileError, read_state, write_state


class DesiredState(StrEnum):
    """What an environment is meant to do, whatever it does at the moment."""

    NOTHING = "nothing"  # never deployed
    RUN = "run"
    SLEEP = "sleep"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Placed:
    """An instance that serves, or a worker without a port (`listens` is false)."""

    id: str
    name: str
    release: str
    endpoint: str = ""
    listens: bool = True


@dataclass(frozen=True, slots=True)
class Retiring:
    """An instance that serves no new request: it drains since `since` (seconds of the boot `boot_id`), then ends."""

    id: str
    name: str
    release: str
    since: float
    boot_id: str
    drains: bool = True
    deploy: str = ""


@dataclass(frozen=True, slots=True)
class PlacementRecord:
    """`count` is what `lb scale` set, None where the configuration decides."""

    generation: int = 0
    wish: DesiredState = DesiredState.NOTHING
    release: str = ""
    count: int | None = None
    placed: tuple[Placed, ...] = ()
    retiring: tuple[Retiring, ...] = ()
    configured: int | None = None  # the configuration's count when `count` was set: another one there ends it

    def next(self, **changes: Any) -> PlacementRecord:
        """The same with changes, one generation later."""
        return replace(self, generation=self.generation + 1, **changes)

    def to_json(self) -> dict[str, Any]:
        return {"version": 1, **asdict(self)}


def read_placement(path: Path) -> PlacementRecord:
    """What the file says; where there is none, that nothing was deployed. Raises StateFileError."""
    value = read_state(path)
    if value is None:
        return PlacementRecord()
    try:
        return _record(value)
    except (KeyError, TypeError, ValueError):
        raise StateFileError(f"{path} is not one of the engine's state files. Restore it, or move it away.") from None


def write_placement(path: Path, record: PlacementRecord) -> None:
    """Raises OSError."""
    write_state(path, record.to_json())


def _record(value: Mapping[str, Any]) -> PlacementRecord:
    count, configured = value.get("count"), value.get("configured")
    return PlacementRecord(
        int(value["generation"]),
        DesiredState(value["wish"]),
        str(value["release"]),
        None if count is None else int(count),
        tuple(
            Placed(str(one["id"]), str(one["name"]), str(one["release"]), str(one["endpoint"]), bool(one["listens"]))
            for one in value["placed"]
        ),
        tuple(
            Retiring(
                str(one["id"]),
                str(one["name"]),
                str(one["release"]),
                float(one["since"]),
                str(one["boot_id"]),
                bool(one["drains"]),
                str(one["deploy"]),
            )
            for one in value["retiring"]
        ),
        None if configured is None else int(configured),
    )
