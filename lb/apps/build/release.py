"""The versions of an app on disk: `releases/20261130-091500/{source, venv, meta.json, build.log, .complete}`.

A release is complete, or it is none: `.complete` is written last, and from then on nothing in it changes. This file
must not know how a release is made, nor which one runs.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from lb.apps.project.start import StartPlan

_FORMAT = "%Y%m%d-%H%M%S"
_TAG = re.compile(r"[0-9]{8}-[0-9]{6}", re.ASCII)
_COMPLETE = ".complete"
_META = "meta.json"
_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class ReleaseMeta:
    """What is known of a release: `when` is the UNIX time of its build, `size` bytes, `python` a version."""

    message: str
    who: str
    when: float
    size: int
    python: str
    start: StartPlan

    def to_json(self) -> dict[str, Any]:
        return {
            "message": self.message,
            "who": self.who,
            "when": self.when,
            "size": self.size,
            "python": self.python,
            "start": self.start.to_json(),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> ReleaseMeta:
        """What `to_json` wrote. Raises ValueError, KeyError, TypeError."""
        known = {key: value[key] for key in ("message", "who", "when", "size", "python")}
        return cls(**known, start=StartPlan.from_json(value["start"]))


@dataclass(frozen=True, slots=True)
class Release:
    """One version of an app; `meta` is None where its build has not come to an end."""

    tag: str
    path: Path
    meta: ReleaseMeta | None
    complete: bool

    @property
    def source(self) -> Path:
        return self.path / "source"

    @property
    def venv(self) -> Path:
        return self.path / "venv"


def list_releases(directory: Path) -> list[Release]:
    """The releases of an app, the oldest first; what has no tag for its name is none."""
    try:
        names = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []
    return [_release(directory / name) for name in names if _TAG.fullmatch(name)]


def _release(path: Path) -> Release:
    complete = (path / _COMPLETE).is_file()
    meta: ReleaseMeta | None = None
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        meta = ReleaseMeta.from_json(json.loads((path / _META).read_bytes()))
    return Release(path.name, path, meta, complete and meta is not None)


def next_tag(now: datetime, last: str | None, offset: timedelta) -> str:
    """The tag of a release that is made `now`, in the zone of `offset`: always later than `last` (B14)."""
    wanted = now.astimezone(timezone(offset)).replace(tzinfo=None, microsecond=0)
    if last is not None and _TAG.fullmatch(last):
        wanted = max(wanted, datetime.strptime(last, _FORMAT) + timedelta(seconds=1))  # noqa: DTZ007  all of one zone
    return wanted.strftime(_FORMAT)


def seal(release: Path, meta: ReleaseMeta) -> None:
    """Makes a built release complete: nobody writes into it from now on. Takes the disk's time. Raises OSError."""
    log = release / "build.log"
    _write_whole(release / _META, json.dumps(meta.to_json(), ensure_ascii=False, indent=1).encode())
    for part in (release / "source", release / "venv"):
        _for_each(part, _forbid_writing)
    if log.exists():
        log.chmod(0o400)
    os.sync()  # before .complete is written: what is complete is so after a power cut, too
    _write_whole(release / _COMPLETE, b"")


def prune(directory: Path, keep: int, pinned: Collection[str]) -> list[str]:
    """Removes all but the newest `keep` complete releases and the `pinned` ones; the tags of what is gone.

    Incomplete ones go, unless they are pinned: whoever builds one pins it.
    """
    releases = list_releases(directory)
    kept = {release.tag for release in [release for release in releases if release.complete][-keep:]} | set(pinned)
    gone = [release for release in releases if release.tag not in kept]
    for release in gone:
        remove_release(release.path)
    return [release.tag for release in gone]


def remove_release(path: Path) -> None:
    """Removes a release: it is incomplete first, so that half of one is never taken for a whole. Raises OSError."""
    with suppress(OSError):
        path.chmod(0o700)
    (path / _COMPLETE).unlink(missing_ok=True)
    for folder, names, _ in os.walk(path):
        with suppress(OSError):
            Path(folder).chmod(0o700)
        for name in names:
            inner = Path(folder, name)
            if not inner.is_symlink():
                with suppress(OSError):
                    inner.chmod(0o700)
    shutil.rmtree(path)


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder, each once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for path in _walk(folder):
        found = path.lstat()
        if (key := (found.st_dev, found.st_ino)) not in seen:
            seen.add(key)
            total += found.st_size
    return total


def _for_each(folder: Path, change: Callable[[Path], None]) -> None:
    for path in _walk(folder):
        change(path)
    if folder.is_dir():
        change(folder)


def _walk(folder: Path) -> Iterator[Path]:
    """What is below a folder, what a folder holds before the folder itself."""
    for place, folders, files in os.walk(folder, topdown=False):
        yield from (Path(place, name) for name in (*files, *folders))


def _forbid_writing(path: Path) -> None:
    found = path.lstat()
    if not stat.S_ISLNK(found.st_mode):
        path.chmod(stat.S_IMODE(found.st_mode) & ~_WRITE)


def _write_whole(path: Path, content: bytes) -> None:
    """Writes a file that is there whole or not at all, even if the machine stops."""
    aside = path.with_name(f".{path.name}.new")
    with aside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
