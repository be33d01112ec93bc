"""How far a deploy has come, written down before each step, so that whoever comes after a kill knows what to do.

An environment has one `deploy.json` with all of its unfinished deploys and the last few that ended. This file knows the
states and the file; what each state does is in deploy.py, what follows a kill in recovery.py.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from lb.apps.service.directory import StateFileError, read_state, write_state

_KEPT = 20  # deploys that ended
FAULT_POINT = "LB_ENGINE_DIES_AT"
"""Tests set this variable to a state's name: the engine is killed right after it has written that state."""


class DeployState(StrEnum):
    """In the order in which a deploy passes through them."""

    QUEUED = "queued"
    RECEIVING = "receiving"
    BUILDING = "building"
    RELEASING = "releasing"
    STARTING = "starting"
    SWITCHING = "switching"
    DRAINING = "draining"
    STOPPING = "stopping"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in (DeployState.DONE, DeployState.FAILED, DeployState.CANCELLED)

    @property
    def serves(self) -> bool:
        """Whether the new version serves already, so that nothing can be cancelled any more."""
        return self in (DeployState.DRAINING, DeployState.STOPPING, DeployState.DONE)


class DeployKind(StrEnum):
    """What starts instances anew."""

    DEPLOY = "deploy"
    PUBLISH = "publish"
    ROLLBACK = "rollback"
    RESTART = "restart"
    SCALE = "scale"
    START = "start"
    SETTINGS = "settings"

    @property
    def builds(self) -> bool:
        return self == DeployKind.DEPLOY

    @property
    def migrates(self) -> bool:
        """Whether the release command runs: a roll back leaves the schema as it is."""
        return self in (DeployKind.DEPLOY, DeployKind.PUBLISH)


@dataclass(frozen=True, slots=True)
class DeployRecord:
    """One deploy. `new` are the ids of the instances that it has started, `note` says how it ended."""

    id: str
    kind: DeployKind
    app: str
    environment: str
    state: DeployState
    tag: str = ""
    previous: str = ""
    message: str = ""
    who: str = ""
    begun: float = 0.0
    changed: float = 0.0
    new: tuple[str, ...] = ()
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> DeployRecord:
        """Raises KeyError, TypeError, ValueError."""
        return DeployRecord(
            str(value["id"]),
            DeployKind(value["kind"]),
            str(value["app"]),
            str(value["environment"]),
            DeployState(value["state"]),
            str(value.get("tag", "")),
            str(value.get("previous", "")),
            str(value.get("message", "")),
            str(value.get("who", "")),
            float(value.get("begun", 0.0)),
            float(value.get("changed", 0.0)),
            tuple(str(one) for one in value.get("new", ())),
            str(value.get("note", "")),
        )


class DeployBook:
    """The deploys of one environment, as they stand in its `deploy.json`."""

    def __init__(self, path: Path) -> None:
        """Raises StateFileError."""
        self._path = path
        self._records: dict[str, DeployRecord] = {}
        state = read_state(path) or {}
        try:
            for value in state.get("deploys", ()):
                record = DeployRecord.from_json(value)
                self._records[record.id] = record
        except (KeyError, TypeError, ValueError, AttributeError):
            raise StateFileError(f"{path} is not one of the engine's state files. Move it away.") from None

    def __iter__(self) -> Iterator[DeployRecord]:
        return iter(list(self._records.values()))

    def find(self, identifier: str) -> DeployRecord | None:
        return self._records.get(identifier)

    @property
    def unfinished(self) -> list[DeployRecord]:
        return [record for record in self._records.values() if not record.state.is_final]

    def put(self, record: DeployRecord) -> DeployRecord:
        """Writes a deploy down; what it says comes next may be done when this has returned. Raises OSError."""
        before = dict(self._records)
        self._records[record.id] = record
        ended = [one.id for one in self._records.values() if one.state.is_final]
        for identifier in ended[:-_KEPT]:
            del self._records[identifier]
        try:
            write_state(self._path, {"version": 1, "deploys": [one.to_json() for one in self._records.values()]})
        except OSError:
            self._records = before
            raise
        die_at(record.state)
        return record

    def move(self, record: DeployRecord, state: DeployState, now: float, note: str | None = None) -> DeployRecord:
        """The same deploy one state further."""
        note = record.note if note is None else note
        return self.put(replace(record, state=state, changed=now, note=note))


def die_at(state: DeployState) -> None:
    """Where a test wants the engine to be killed."""
    if os.environ.get(FAULT_POINT) == state.value:
        os.kill(os.getpid(), signal.SIGKILL)
