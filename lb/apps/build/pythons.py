"""Which Pythons are installed on this machine, and which of them a project gets.

Each interpreter is asked for its version; what its path looks like proves nothing. Only stable CPython counts (B10).
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from glob import glob
from pathlib import Path

from lb.apps.project.python_version import PythonRequest

_SYSTEM = ("/usr/local/bin/python*", "/usr/bin/python*", "/opt/homebrew/bin/python*")
_NUMBERED = "[23].*[0-9]"
_ASK = (
    "import sys, platform, json; v = sys.version_info; name = platform.python_implementation(); "
    "print(json.dumps([list(v[:3]), v[3], name, getattr(sys, 'abiflags', ''), platform.machine()]))"
)
_PATIENCE = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that is installed: the path that runs it, and its version."""

    path: Path
    version: tuple[int, int, int]
    machine: str = ""

    def __str__(self) -> str:
        return ".".join(map(str, self.version))


async def find_pythons(patterns: Iterable[str], own: Path | None = None) -> list[Interpreter]:
    """Every usable interpreter, those of the operator's `patterns` first; `own` is the folder of installed ones."""
    asked = await asyncio.gather(*(asyncio.to_thread(_ask, path) for path in _paths(patterns, own)))
    found: dict[tuple[int, int, int], Interpreter] = {}
    for interpreter in asked:
        if interpreter is not None:
            found.setdefault(interpreter.version, interpreter)
    return list(found.values())


def choose(request: PythonRequest, installed: Iterable[Interpreter]) -> Interpreter | None:
    """The newest of those that the request admits; Python 2 is none that is chosen without being asked for."""
    fit = [python for python in installed if request.admits(python.version)]
    if request.major is None:
        fit = [python for python in fit if python.version[0] >= 3]
    return max(fit, key=lambda python: python.version, default=None)


def _paths(patterns: Iterable[str], own: Path | None) -> Iterator[str]:
    """Paths of interpreters, each file once; pyenv's shims are none, since they run what some folder says."""
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT") or home / ".pyenv")
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or home / ".local" / "share" / "uv" / "python")
    places = [
        *patterns,
        *([f"{own}/*/bin/python{_NUMBERED}"] if own is not None else ()),
        f"{pyenv}/versions/*/bin/python{_NUMBERED}",
        *(place.replace("*", _NUMBERED) for place in _SYSTEM),
        f"{uv}/cpython-*/bin/python{_NUMBERED}",
        str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"),
    ]
    seen: set[str] = set()
    for place in places:
        for path in sorted(glob(os.path.expanduser(place))):  # noqa: PTH207, PTH111  patterns are absolute
            real = os.path.realpath(path)
            if real not in seen and not path.endswith("-config") and os.access(path, os.X_OK) and os.path.isfile(real):  # noqa: PTH113
                seen.add(real)
                yield path


_asked: dict[tuple[str, int, int], Interpreter | None] = {}


def _ask(path: str) -> Interpreter | None:
    try:
        stat = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    key = (path, stat.st_mtime_ns, stat.st_size)
    if key not in _asked:
        _asked[key] = _run(path)
    return _asked[key]


def _run(path: str) -> Interpreter | None:
    try:
        asked = subprocess.run(  # noqa: S603
            (path, "-E", "-S", "-c", _ASK),
            env={"PATH": os.defpath},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=True,
        )
        version, level, implementation, flags, machine = json.loads(asked.stdout)
        major, minor, patch = map(int, version)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    usable = level == "final" and implementation == "CPython" and "t" not in flags
    return Interpreter(Path(path), (major, minor, patch), str(machine)) if usable else None
