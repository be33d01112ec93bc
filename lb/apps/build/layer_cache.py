"""Installed dependencies of earlier builds, found again by all that decided about them (B12).

A layer is a virtual environment and the files that the install commands made beside it. Each is there whole or not at
all; the ones that were not used for the longest time are removed. This file must not know how anything is installed.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from lb.apps.build.relocate import change_path, copy_tree, files_that_hold

_FORMAT = 1  # a change of how layers are made begins anew
_KEPT = 20
_RECORD = "layer.json"


def key_of(facts: Mapping[str, Any], root: Path, files: Iterable[str]) -> str:
    """The name of the layer for these facts and the content of these files and folders of the project."""
    digest = sha256(json.dumps([_FORMAT, facts], sort_keys=True).encode())
    for name in sorted(set(files)):
        for path in _below(root, name):
            shown = os.path.relpath(path, root)
            is_link = path.is_symlink()
            content = os.fsencode(os.readlink(path)) if is_link else path.read_bytes()  # noqa: PTH115
            mode = "link" if is_link else path.stat().st_mode & 0o111 != 0
            digest.update(json.dumps([shown, str(mode), sha256(content).hexdigest()]).encode())
    return digest.hexdigest()


def _below(root: Path, name: str) -> list[Path]:
    path = root / name
    if path.is_symlink() or path.is_file():
        return [path]
    found = [Path(place, file) for place, _, files in os.walk(path) for file in files]
    return sorted(file for file in found if file.is_symlink() or file.is_file())


@dataclass(frozen=True, slots=True)
class LayerCache:
    """The layers below `folder`, which belongs to the engine alone."""

    folder: Path

    def take(self, key: str, venv: Path, files: Path | None) -> bool:
        """Copies a layer's environment to `venv` and its files into `files`; False where there is none."""
        layer = self.folder / key
        try:
            record = json.loads((layer / _RECORD).read_bytes())
            copy_tree(layer / "venv", venv)
            change_path(venv, record["holding"], Path(record["origin"]), venv)
            if files is not None:
                copy_missing(layer / "files", files)
        except (OSError, ValueError, KeyError, shutil.Error):
            shutil.rmtree(venv, ignore_errors=True)
            shutil.rmtree(layer, ignore_errors=True)
            return False
        os.utime(layer)
        return True

    def store(self, key: str, venv: Path, files: Path | None) -> None:
        """Keeps an environment, and the files that were made beside it, for later. Raises OSError."""
        aside = self.folder / f".{uuid.uuid4().hex}"
        try:
            aside.mkdir(parents=True)
            copy_tree(venv, aside / "venv")
            if files is not None:
                copy_tree(files, aside / "files")
            else:
                (aside / "files").mkdir()
            record = {"origin": str(venv), "holding": files_that_hold(venv, venv)}
            (aside / _RECORD).write_text(json.dumps(record))
            self._replace(aside, self.folder / key)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        self._prune()

    def _replace(self, new: Path, path: Path) -> None:
        try:
            new.rename(path)
        except OSError:  # another build was first
            shutil.rmtree(path, ignore_errors=True)
            new.rename(path)

    def _prune(self) -> None:
        layers = [path for path in self.folder.iterdir() if not path.name.startswith(".")]
        for path in sorted(layers, key=lambda path: path.stat().st_mtime, reverse=True)[_KEPT:]:
            shutil.rmtree(path, ignore_errors=True)


def copy_missing(source: Path, target: Path) -> None:
    """Copies what `target` has not: a file that is there already stays."""
    target.mkdir(parents=True, exist_ok=True)
    for entry in sorted(os.scandir(source), key=lambda entry: entry.name):
        other = target / entry.name
        if entry.is_dir(follow_symlinks=False):
            if not other.is_symlink() and (other.is_dir() or not other.exists()):
                copy_missing(Path(entry.path), other)
        elif not os.path.lexists(other):
            shutil.copy2(entry.path, other, follow_symlinks=False)
