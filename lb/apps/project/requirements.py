"""The lists of dependencies of a project: which files they are, what is named in them, and what they make of a build.

Lines are looked at, never resolved: pip decides what they mean (B11). This file knows the syntax of requirement files
and the names of other package managers' lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lb.apps.project.errors import ProjectError
from lb.apps.project.text import read_text
from lb.config.suggest import all_of

REQUIREMENTS = "requirements.txt"
UV_LOCK = "uv.lock"
PYPROJECT = "pyproject.toml"
# A file that only one package manager writes → that manager.
_MANAGERS = {
    REQUIREMENTS: "pip",
    UV_LOCK: "uv",
    "poetry.lock": "Poetry",
    "pdm.lock": "PDM",
    "Pipfile.lock": "Pipenv",
    "Pipfile": "Pipenv",
    "environment.yml": "conda",
}
_INSTALLS = {
    "Poetry": "install: [pip install poetry, poetry config virtualenvs.create false, poetry install --only main]",
    "Pipenv": "install: [pip install pipenv, pipenv install --system --deploy]",
    "PDM": "install: [pip install pdm, pdm export --prod -o requirements.txt, {use: default}]",
}
_REQUIRED = {"Poetry": ("pyproject.toml", "poetry.lock"), "Pipenv": ("Pipfile", "Pipfile.lock"), "PDM": ("pdm.lock",)}
_INCLUDE = re.compile(r"(?:-r|-c|--requirement|--constraint)[ =]?\s*(.+)")
_EDITABLE = re.compile(r"(?:-e|--editable)[ =]?\s*(.+)")
_NAME = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*(?:[=<>!~;@(,]|$)")
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_VCS = re.compile(r"(?:^|[\s@])(?:git|hg|svn|bzr)\+", re.IGNORECASE)
_LOCAL = re.compile(r"\.{0,2}/|\.$|\.\[|file:|~")
_MOST_FILES = 100


@dataclass(frozen=True, slots=True)
class Requirements:
    """What the lists say. `files` are all of them by their paths, `names` the normalized names of direct dependencies.

    `whole_tree` is set if a line names a file or folder of the project, `fresh` if a line may mean something else
    tomorrow without a change of the list (a repository, an editable or local package): such a layer is never cached.
    `programs` are those that a line needs, such as git.
    """

    manager: str = ""
    files: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    hashes: bool = False
    whole_tree: bool = False
    fresh: bool = False
    programs: tuple[str, ...] = ()


def read_requirements(root: Path, *, custom_install: bool) -> Requirements:
    """What the project's lists say; Requirements() where it has none. Raises ProjectError.

    With an `install` of its own a project may use any package manager, and several.
    """
    present = {name: manager for name, manager in _MANAGERS.items() if (root / name).is_file()}
    managers = list(dict.fromkeys(present.values()))
    if len(managers) > 1 and not custom_install:
        raise ProjectError(
            f"several package managers have a list here: {all_of(present)}",
            "keep the one that is used and remove the other files, or write install: in leanengine.yaml",
        )
    if REQUIREMENTS in present:
        found = _Reading(root)
        found.read(REQUIREMENTS)
        return found.result()
    if UV_LOCK in present:
        return _uv_project(root)
    if custom_install or not managers:
        files = tuple(name for name in (*present, PYPROJECT) if (root / name).is_file())
        return Requirements(files=files)
    (manager,) = managers
    if (install := _INSTALLS.get(manager)) is None:
        raise ProjectError(
            f"{next(iter(present))} is a list of {manager}, which is not supported", f"write a {REQUIREMENTS}"
        )
    required = ", ".join(name for name in _REQUIRED[manager] if (root / name).is_file())
    raise ProjectError(
        f"{next(iter(present))} is a list of {manager}, which has to be run by commands of your own",
        f"write into leanengine.yaml: {install.replace('[', f'[{{require: [{required}]}}, ', 1)}",
    )


def _uv_project(root: Path) -> Requirements:
    project = read_text(root, PYPROJECT)
    if project is None:
        raise ProjectError(f"{UV_LOCK} is here, but {PYPROJECT} is not", f"add {PYPROJECT}", file=UV_LOCK)
    lock = read_text(root, UV_LOCK) or ""
    names = frozenset(map(normalized, re.findall(r'^name = "([^"]+)"', lock, re.MULTILINE)))
    builds = bool(re.search(r"^\[build-system\]", project, re.MULTILINE))
    local = bool(re.search(r'source = \{ (?:directory|path|editable) = "(?!\.")', lock)) or builds
    return Requirements("uv", (PYPROJECT, UV_LOCK), names, whole_tree=local, fresh=local)


def normalized(name: str) -> str:
    """A package's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


class _Reading:
    """Follows a requirement file and those that it includes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[str, None] = {}
        self._names: set[str] = set()
        self._hashes = self._whole_tree = self._fresh = False
        self._programs: dict[str, None] = {}

    def result(self) -> Requirements:
        return Requirements(
            "pip",
            tuple(self._files),
            frozenset(self._names),
            self._hashes,
            self._whole_tree,
            self._fresh,
            tuple(self._programs),
        )

    def read(self, name: str) -> None:
        if name in self._files or len(self._files) >= _MOST_FILES:
            return
        text = read_text(self._root, name)
        if text is None:
            return  # pip says so, and in which line
        self._files[name] = None
        for line in _lines(text):
            self._line(line, PurePosixPath(name).parent)

    def _line(self, line: str, folder: PurePosixPath) -> None:
        if (included := _INCLUDE.fullmatch(line)) is not None:
            path = included[1].strip().strip("\"'")
            if "://" in path:
                self._fresh = True
            elif (inside := _inside(folder / path)) is None:
                self._whole_tree = self._fresh = True
            else:
                self.read(inside)
            return
        self._hashes |= "--hash=" in line
        if (vcs := _VCS.search(line)) is not None:
            self._fresh = True
            self._programs[vcs[0].strip(" @\t").rstrip("+").lower()] = None
        editable = _EDITABLE.fullmatch(line)
        target = (editable[1] if editable is not None else line.partition(" @ ")[2] or line).strip()
        is_local = _LOCAL.match(target) is not None or (editable is not None and vcs is None)
        is_path = not line.startswith("-") and "://" not in line and "/" in line.partition(";")[0]
        if is_local or is_path:
            self._whole_tree = self._fresh = True
        elif not line.startswith("-") and (name := _NAME.match(line)) is not None:
            self._names.add(normalized(name[1]))
        if line.startswith(("-f ", "-f=", "--find-links")):
            self._fresh = self._whole_tree = True


def _lines(text: str) -> Iterator[str]:
    """Logical lines without comments: a backslash at a line's end joins it with the next one."""
    joined = ""
    for line in text.splitlines():
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            joined += line[:-1].rstrip() + " "
            continue
        if stripped := _COMMENT.sub("", joined + line).strip():
            yield stripped
        joined = ""
    if joined.strip():
        yield joined.strip()


def _inside(path: PurePosixPath) -> str | None:
    """The path without `..`; None for one that leads out of the project."""
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            if not parts:
                return None
            parts.pop()
        else:
            parts.append(part)
    return None if path.is_absolute() else "/".join(parts)
