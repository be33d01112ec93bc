"""An app's identity: the ids and keys that its code gets, made once, at the first deploy or by `lb apps create`.

This file knows `app.json`, which only the engine's user can read. It must not know what runs.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lb.apps.service.directory import StateFileError, read_state, write_state


@dataclass(frozen=True, slots=True)
class AppRecord:
    """`python` is the version of projects that name none ("": the newest); `created` seconds since the epoch."""

    name: str
    app_id: str
    app_key: str = field(repr=False)
    master_key: str = field(repr=False)
    hook_key: str = field(repr=False)
    python: str = ""
    created: float = 0.0

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no log may show."""
        return (self.app_key, self.master_key, self.hook_key)


def new_app(name: str, now: float, python: str = "") -> AppRecord:
    return AppRecord(name, _key(), _key(), _key(), _key(), python, now)


def read_app(path: Path) -> AppRecord | None:
    """None where there is none yet. Raises StateFileError."""
    value = read_state(path)
    if value is None:
        return None
    try:
        return AppRecord(**{key: value[key] for key in AppRecord.__dataclass_fields__})
    except (KeyError, TypeError):
        raise StateFileError(f"{path} is not one of the engine's state files. Restore it, or move it away.") from None


def write_app(path: Path, record: AppRecord) -> None:
    """Raises OSError."""
    write_state(path, {"version": 1, **asdict(record)})


def _key() -> str:
    return secrets.token_urlsafe(18)  # 24 characters
