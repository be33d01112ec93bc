"""Where the engine keeps what: its directory's layout, and state files that are there whole or not at all.

    apps/shop/{app.json, env.json, lock, repo.git, releases/…, failed-builds/,
               production/{current, placement.json, deploy.json, logs/}, staging/…}, cache/, run/

This file knows paths and JSON. It must not know what a placement or a deploy is.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lb.tls.files.atomic_write import write_file

ENVIRONMENTS = ("production", "staging")
_SYSTEM = Path("/var/lib/lb-engine")


class StateFileError(Exception):
    """A state file cannot be read; the text says which and what to do. Nothing may be decided without it."""


def default_directory(environ: Mapping[str, str]) -> Path:
    """Where the engine keeps its things if `engine.directory` does not say."""
    if first := environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(first)
    if os.geteuid() == 0:
        return _SYSTEM
    data = environ.get("XDG_DATA_HOME", "")
    return Path(data) / "lb" if data.startswith("/") else Path.home() / ".local" / "share" / "lb"


@dataclass(frozen=True, slots=True)
class EnvironmentDirectory:
    """What belongs to one environment of an app."""

    path: Path

    @property
    def placement(self) -> Path:
        return self.path / "placement.json"

    @property
    def deploys(self) -> Path:
        return self.path / "deploy.json"

    @property
    def running_time(self) -> Path:
        return self.path / "running-time.json"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def current(self) -> Path:
        return self.path / "current"

    def point_to(self, release: Path) -> None:
        """Makes `current` lead to a release, in one step."""
        aside = self.path / ".current"
        aside.unlink(missing_ok=True)
        aside.symlink_to(os.path.relpath(release, self.path))
        aside.replace(self.current)


@dataclass(frozen=True, slots=True)
class AppDirectory:
    """What belongs to one app; releases belong to both of its environments."""

    path: Path

    @property
    def record(self) -> Path:
        return self.path / "app.json"

    @property
    def variables(self) -> Path:
        return self.path / "env.json"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    @property
    def repository(self) -> Path:
        return self.path / "repo.git"

    @property
    def releases(self) -> Path:
        return self.path / "releases"

    @property
    def failed_builds(self) -> Path:
        return self.path / "failed-builds"

    def environment(self, name: str) -> EnvironmentDirectory:
        return EnvironmentDirectory(self.path / name)

    def prepare(self) -> None:
        """Makes what is not there. Raises OSError."""
        for path in (self.path, self.releases):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ENVIRONMENTS:
            self.environment(name).logs.mkdir(mode=0o700, parents=True, exist_ok=True)


@dataclass(frozen=True, slots=True)
class EngineDirectory:
    """The whole."""

    root: Path

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def run(self) -> Path:
        """Where instances have their sockets (lb.apps.run.run_directory finds a shorter path where one is needed)."""
        return self.root / "run"

    def app(self, name: str) -> AppDirectory:
        return AppDirectory(self.root / "apps" / name)

    def app_names(self) -> Iterator[str]:
        """The apps that have anything here, deployed or not."""
        with suppress(OSError):
            for path in sorted((self.root / "apps").iterdir()):
                if (path / "app.json").is_file():
                    yield path.name

    def prepare(self) -> None:
        """Makes what is not there. Raises OSError, PermissionError where somebody else could change what is in it.

        The door may be another user: it may pass on the way to the sockets, and read nothing else.
        """
        for path, mode in ((self.root, 0o711), (self.run, 0o711), (self.root / "apps", 0o700), (self.cache, 0o700)):
            path.mkdir(mode=mode, parents=True, exist_ok=True)
        found = self.root.stat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise PermissionError(0, "it must be a directory that only the engine's user can write to", str(self.root))


def read_state(path: Path) -> dict[str, Any] | None:
    """The object in a state file; None where there is no file. Raises StateFileError."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not JSON"
        raise StateFileError(f"{path} cannot be read: {reason}. Restore it, or move it away.") from None
    if not isinstance(value, dict):
        raise StateFileError(f"{path} is not one of the engine's state files. Restore it, or move it away.")
    return value


def write_state(path: Path, value: Mapping[str, Any]) -> None:
    """Puts an object there at once, readable for this user alone. Raises OSError."""
    write_file(path, json.dumps(value, indent=1).encode() + b"\n", 0o600)
