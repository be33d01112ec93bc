"""What a folder holds, and all that its files say about building and starting it: the one entrance to this package.

Nothing of the project is imported or run. This file joins what each kind of file says; serving.py decides what serves.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from lb.apps.project import manifest as manifests
from lb.apps.project import misspelt, procfile, python_version
from lb.apps.project.errors import ProjectError
from lb.apps.project.git_leftovers import find_leftovers
from lb.apps.project.manifest import Manifest, read_manifest
from lb.apps.project.procfile import Procfile, parse_procfile
from lb.apps.project.python_version import PythonRequest, parse_default, parse_runtime, parse_version_file
from lb.apps.project.requirements import PYPROJECT, REQUIREMENTS, Requirements, read_requirements
from lb.apps.project.serving import plan_start
from lb.apps.project.start import StartPlan
from lb.apps.project.text import read_text


@dataclass(frozen=True, slots=True)
class ProjectDefaults:
    """What holds where the project does not say: `python` is the app's own default, such as "2.7" ("": the newest)."""

    python: str = ""


@dataclass(frozen=True, slots=True)
class Project:
    """A folder that can be built and started. `root` has `buildRoot` applied; `notes` are for whoever deploys it."""

    root: Path
    manifest: Manifest
    python: PythonRequest
    requirements: Requirements
    start: StartPlan
    notes: tuple[str, ...] = ()


def read_project(root: Path, defaults: ProjectDefaults | None = None) -> Project:
    """The project in the folder `root`. Raises ProjectError."""
    defaults = defaults or ProjectDefaults()
    names = _names(root)
    _refuse_misspelt(names, manifests.NAME)
    manifest = read_manifest(root)
    if manifest is not None and manifest.build_root:
        root, manifest = _build_root(root, manifest)
        names = _names(root)
    _refuse_misspelt(names, python_version.VERSION_FILE, ".leanignore")
    notes = list(manifest.notes) if manifest is not None else []
    notes += find_leftovers(root)
    manifest = manifest or Manifest()
    commands = _procfile(root, names, manifest, notes)
    requirements = read_requirements(root, custom_install=manifest.install is not None)
    if not requirements.manager:
        _need_list(names, manifest)
    python = _python(root, defaults, notes)
    start = plan_start(root, manifest, commands, requirements.names, notes)
    if python.major == 2 and start.server in {"uvicorn", "granian"}:
        raise ProjectError(
            f"{start.server} needs Python 3, and {python.origin} says {python}",
            f"write 3.13 into {python_version.VERSION_FILE}",
        )
    return Project(root, manifest, python, requirements, start, tuple(notes))


def _names(root: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(root) if not entry.is_dir())
    except OSError as error:
        raise ProjectError(f"{root} cannot be read: {error.strerror}", "give the folder of a project") from None


def _refuse_misspelt(names: list[str], *wanted: str) -> None:
    for right in wanted:
        if (name := misspelt.find_misspelt(names, right)) is not None:
            raise ProjectError(
                f"there is a file {name}, but no {right}: the name seems to be misspelt",
                f"rename it: mv {name} {right}",
            )


def _build_root(root: Path, manifest: Manifest) -> tuple[Path, Manifest]:
    """The subfolder that `buildRoot` names, and the manifest that holds for it."""
    folder = manifest.build_root
    inner = root / folder
    if not inner.is_dir() or not inner.resolve().is_relative_to(root.resolve()):
        raise ProjectError(
            f"buildRoot: there is no folder {folder}", "name a folder by its path from the top", file=manifests.NAME
        )
    own = read_manifest(inner)
    if own is None:
        return inner, manifest
    if own.build_root or replace(manifest, build_root="", notes=()) != Manifest():
        raise ProjectError(
            f"{folder}/{manifests.NAME} and {manifests.NAME} both say how to run the project",
            "keep nothing but buildRoot in the one at the top",
            file=manifests.NAME,
        )
    return inner, own


def refuse_environment(root: Path) -> None:
    """Raises ProjectError for a virtual environment that was sent: it works only at the path where it was made."""
    for entry in sorted(os.scandir(root), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False) and Path(entry.path, "pyvenv.cfg").is_file():
            name = entry.name
            raise ProjectError(
                f"{name}/ is a virtual environment, which works only where it was made",
                f"add {name} to .leanignore (and .gitignore; git rm -r --cached {name} if it was committed)",
            )


def _procfile(root: Path, names: list[str], manifest: Manifest, notes: list[str]) -> Procfile:
    """A manifest without a key, such as one with comments alone, says no more than none."""
    text = read_text(root, procfile.NAME)
    says_nothing = replace(manifest, notes=()) == Manifest()
    if text is None:
        if says_nothing:
            _refuse_misspelt(names, procfile.NAME)
        return Procfile()
    if not says_nothing:
        notes.append(f"{procfile.NAME} is not read, because {manifests.NAME} is there")
        return Procfile()
    return parse_procfile(text)


def _need_list(names: list[str], manifest: Manifest) -> None:
    """Without a list of dependencies a project is one only if it says so (B1)."""
    if manifest.install is not None:
        return
    _refuse_misspelt(names, REQUIREMENTS)
    if PYPROJECT in names:
        raise ProjectError(
            f"there is a {PYPROJECT}, but neither {REQUIREMENTS} nor uv.lock",
            f"run `uv lock`, or write a {REQUIREMENTS} with one line: .",
        )
    if not manifest.python and not _other_language(names):
        raise ProjectError(
            f"{REQUIREMENTS} is missing", f"create it with the packages that the app needs; empty: touch {REQUIREMENTS}"
        )


def _other_language(names: list[str]) -> bool:
    """Whether it is no Python project at all: serving.py has the words for that."""
    return not any(name.endswith(".py") or name in {manifests.NAME, procfile.NAME} for name in names)


def _python(root: Path, defaults: ProjectDefaults, notes: list[str]) -> PythonRequest:
    text = read_text(root, python_version.VERSION_FILE)
    runtime = read_text(root, python_version.RUNTIME_FILE)
    if text is not None:
        request, warned = parse_version_file(text)
        notes += warned
        if runtime is not None:
            notes.append(f"{python_version.RUNTIME_FILE} is not read, because {python_version.VERSION_FILE} is there")
        return request
    if runtime is not None:
        return parse_runtime(runtime)
    return parse_default(defaults.python)
