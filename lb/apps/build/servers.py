"""The server of an app that names none in its own list: copied from the engine's environment, or else installed.

A copy needs no index and no second; it is taken where the app's Python is the engine's, and where nothing that the
project installed could be another version of what the server needs.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from lb.apps.build.pythons import Interpreter
from lb.apps.project.requirements import normalized

_SCRIPTS = {"gunicorn": "gunicorn.app.wsgiapp:run", "uvicorn": "uvicorn.main:main"}
_COMPANIONS = {"uvicorn": ("websockets",)}  # without it uvicorn refuses WebSockets; it works without its C code
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def installed_packages(venv: Path) -> dict[str, str]:
    """The packages in an environment, by their normalized names, and their versions."""
    found: dict[str, str] = {}
    for pattern in ("*.dist-info", "*.egg-info"):
        for path in venv.glob(f"lib/python*/site-packages/{pattern}"):
            name, _, version = path.name.rpartition(".")[0].partition("-")
            found[normalized(name)] = version.partition("-")[0]
    return found


def copy_server(server: str, python: Interpreter, venv: Path) -> str | None:
    """Copies `server` and what it needs into an environment; its version, or None where it has to be installed."""
    if server not in _SCRIPTS or python.version[:2] != sys.version_info[:2]:
        return None
    try:
        wanted = _with_needed(server)
    except PackageNotFoundError:
        return None
    present = installed_packages(venv)
    if any(present.get(normalized(found.name), found.version) != found.version for found in wanted):
        return None
    packages = next(venv.glob("lib/python*/site-packages"), None)
    if packages is None:
        return None
    pairs = [pair for found in wanted if normalized(found.name) not in present for pair in _pairs(found, packages)]
    for name in _COMPANIONS.get(server, ()):
        if name not in present and _is_here(name):
            pairs += [pair for pair in _pairs(distribution(name), packages) if pair[0].suffix != ".so"]
    if any(source.suffix in {".so", ".pyd", ".pth"} or not source.is_file() for source, _ in pairs):
        return None
    for source, target in pairs:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    _write_script(venv, server)
    return wanted[0].version


def _with_needed(server: str) -> list[Distribution]:
    """The server's package, and all that it needs. Raises PackageNotFoundError."""
    found: dict[str, Distribution] = {}
    waiting = [server]
    while waiting:
        package = distribution(waiting.pop())
        found.setdefault(normalized(package.name), package)
        for line in package.requires or ():
            name, marker = _NAME.match(line), line.partition(";")[2]
            if name is None or "extra" in marker or normalized(name[0]) in found:
                continue
            if not marker or _is_here(name[0]):  # of those for some Pythons or systems alone, what is here is needed
                waiting.append(name[0])
    return list(found.values())


def _is_here(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def _pairs(found: Distribution, packages: Path) -> Iterator[tuple[Path, Path]]:
    """Each file of a package and its place in another environment; scripts, which hold a path, are left out."""
    for file in found.files or ():
        if ".." not in file.parts and not file.is_absolute():
            yield Path(str(found.locate_file(file))), packages / file


def _write_script(venv: Path, server: str) -> None:
    module, _, name = _SCRIPTS[server].partition(":")
    script = venv / "bin" / server
    script.write_text(f"#!{venv}/bin/python\nimport sys\nfrom {module} import {name}\nsys.exit({name}())\n")
    script.chmod(0o755)
