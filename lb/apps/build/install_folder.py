"""What the install commands of a project see: its lists of dependencies, and what `require` names (B6).

The commands run at the final path of the source, because what they install may remember it. So the upload stands aside
meanwhile, and is put back over what they have made.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from lb.apps.build.layer_cache import copy_missing
from lb.apps.project.detect import Project
from lb.apps.project.manifest_values import BuildCommand

_ASIDE = ".upload"
# Lists of every package manager, since commands of a project's own may use any.
_LISTS = (
    *("requirements.txt", "constraints.txt", "pyproject.toml", "uv.lock", "poetry.lock", "pdm.lock"),
    *("Pipfile", "Pipfile.lock", ".python-version", "runtime.txt", "package.json", "package-lock.json", "yarn.lock"),
)
_FRESH = re.compile(r"\b(?:git|hg|svn|bzr)\+|(?:^|\s)(?:-e|--editable)\b|\bgit\s+clone\b")


def visible(project: Project) -> tuple[str, ...]:
    """The paths of the files and folders that install sees."""
    required = [path for command in project.manifest.install or () for path in command.require]
    if "." in required:
        return tuple(sorted(entry.name for entry in os.scandir(project.root)))
    lists = [name for name in _LISTS if (project.root / name).is_file()]
    return tuple(dict.fromkeys((*lists, *project.requirements.files, *required)))


def is_fresh(command: BuildCommand) -> bool:
    """Whether a command may install something else tomorrow, though nothing in the project has changed."""
    return _FRESH.search(command.text) is not None


def move_up(source: Path, inner: Path, release: Path) -> None:
    """Makes the folder `inner` of the upload the whole of it."""
    aside = release / _ASIDE
    source.rename(aside)
    (aside / inner.relative_to(source)).rename(source)
    shutil.rmtree(aside)


def show_only(source: Path, release: Path, paths: Iterable[str]) -> None:
    """Puts the upload aside, and in its place a folder with only these paths."""
    aside = release / _ASIDE
    source.rename(aside)
    source.mkdir()
    for path in paths:
        original, target = aside / path, source / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if original.is_dir() and not original.is_symlink():
            copy_missing(original, target)
        elif os.path.lexists(original):
            shutil.copy2(original, target, follow_symlinks=False)


def put_back(source: Path, release: Path) -> None:
    """Puts the upload back; what the install commands made stays beside it."""
    aside = release / _ASIDE
    _merge(aside, source)
    shutil.rmtree(aside)


def _merge(upper: Path, lower: Path) -> None:
    """Moves everything of `upper` into `lower`; where both have a file, that of `upper` stays."""
    for entry in list(os.scandir(upper)):
        target = lower / entry.name
        both_folders = entry.is_dir(follow_symlinks=False) and target.is_dir() and not target.is_symlink()
        if both_folders:
            _merge(Path(entry.path), target)
            continue
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        elif entry.is_dir(follow_symlinks=False):
            target.unlink(missing_ok=True)
        Path(entry.path).replace(target)
