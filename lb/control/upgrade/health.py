"""The health table as text for a successor, which may be another version of the program.

Rows are named by their keys and states by their names; unknown ones are ignored. The data is seconds old when it is
read, which is better than sending requests to instances in an unknown state.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from lb.routing.health_table import ABSENT, STATES, Condition, HealthTable


def write_down(table: HealthTable) -> bytes:
    """Every instance with a known state."""
    return json.dumps([_entry(key, condition) for key, condition in table.conditions()]).encode()


def read_back(text: bytes) -> dict[bytes, Condition]:
    """What `write_down` wrote, by key. Raises ValueError or TypeError for something else."""
    return dict(_conditions(json.loads(text)))


def _entry(key: bytes, condition: Condition) -> dict[str, Any]:
    return {
        "key": key.hex(),
        "state": STATES[condition.state],
        "host": condition.host,
        "since": condition.since,
        "checked": condition.checked,
        "last": condition.last,
        "failed_at": condition.failed_at,
        "error": condition.error,
        "answers": condition.answers,
    }


def _conditions(entries: list[dict[str, Any]]) -> Iterator[tuple[bytes, Condition]]:
    for entry in entries:
        state = STATES.index(entry["state"]) if entry.get("state") in STATES else ABSENT
        if state != ABSENT and "key" in entry:
            yield (
                bytes.fromhex(entry["key"]),
                Condition(
                    state,
                    str(entry.get("host", "")),
                    float(entry.get("since", 0)),
                    float(entry.get("checked", 0)),
                    str(entry.get("last", "")),
                    float(entry.get("failed_at", 0)),
                    str(entry.get("error", "")),
                    bool(entry.get("answers", False)),
                ),
            )
