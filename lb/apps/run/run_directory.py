"""Where running instances are on disk: `ROOT/<8 hex>/`, with the shim's records and, in `app/`, the app's socket.

The name of a Unix socket may have 107 bytes, so a root with a long path gets a stand-in with a short one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

_LONGEST = 107  # bytes of sun_path before its NUL
_BELOW = len("/12345678/app/sock")
_TEMPORARY = Path("/tmp")  # noqa: S108 -- the directory made in it is checked


class RunDirectory:
    """The directory of one instance."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.control = path / "ctl"
        self.app = path / "app"
        self.socket = self.app / "sock"
        self.stdin = path / "stdin"
        self.server_config = path / "server.py"
        self.instance_record = path / "instance.json"
        self.exit_record = path / "exit.json"

    @property
    def id(self) -> str:
        return self.path.name

    def make(self) -> None:
        """Others may pass, since the door may be another user, and read nothing."""
        self.path.mkdir(mode=0o711)
        self.app.mkdir(mode=0o711)

    def read_instance(self) -> dict[str, Any] | None:
        return _read(self.instance_record)

    def read_exit(self) -> dict[str, Any] | None:
        return _read(self.exit_record)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def directories(root: Path) -> list[RunDirectory]:
    """Those of all instances under a root, also of ended ones."""
    try:
        return [RunDirectory(path) for path in sorted(effective_root(root).iterdir()) if path.is_dir()]
    except OSError:
        return []


def effective_root(root: Path) -> Path:
    """`root`, or a short stand-in for it that is always the same. Raises OSError if it is somebody else's."""
    if len(os.fsencode(root)) + _BELOW <= _LONGEST:
        return root
    name = f"lb-{os.getuid()}-{hashlib.sha256(os.fsencode(root)).hexdigest()[:10]}"
    short = Path(os.environ.get("XDG_RUNTIME_DIR") or _TEMPORARY) / name
    if len(os.fsencode(short)) + _BELOW > _LONGEST:
        short = _TEMPORARY / name
    short.mkdir(mode=0o711, exist_ok=True)
    status = short.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise PermissionError(f"{short} is not this user's own directory; remove it")
    return short


def _read(path: Path) -> dict[str, Any] | None:
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None
