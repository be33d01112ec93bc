"""The Python that a project asks for: one that is installed, or one that uv fetches, or words that say what to do."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from lb.apps.build.pythons import Interpreter, choose, find_pythons
from lb.apps.build.settings import BuildFailed, BuildSettings
from lb.apps.build.steps import StepRunner
from lb.apps.project.python_version import VERSION_FILE, PythonRequest
from lb.config.suggest import all_of

STEP = "Finding Python"
OFF = "off"


async def need_python(
    request: PythonRequest,
    settings: BuildSettings,
    runner: StepRunner,
    environment: Mapping[str, str],
    scratch: Path,
) -> Interpreter:
    """An interpreter that the request admits. Raises BuildFailed, BuildCancelledError."""
    own = settings.cache / "pythons"
    installed = await find_pythons(settings.pythons, own)
    if (found := choose(request, installed)) is not None:
        return found
    uv = shutil.which("uv", path=f"{Path(sys.prefix) / 'bin'}:{environment['PATH']}")
    if uv is not None and settings.python_mirror != OFF and request.major != 2:
        runner.log.headline(f"Installing Python {request}")
        mirror = {"UV_PYTHON_INSTALL_MIRROR": settings.python_mirror} if settings.python_mirror else {}
        allowed = {**environment, **mirror, "UV_PYTHON_DOWNLOADS": "manual", "UV_PYTHON_INSTALL_DIR": str(own)}
        command = (uv, "python", "install", "--no-bin", f"cpython-{request}" if request.major else "cpython")
        await runner.run(f"Installing Python {request}", command, scratch, allowed)
        if (found := choose(request, await find_pythons(settings.pythons, own))) is not None:
            return found
    raise BuildFailed(STEP, _missing(request, installed), _next_step(request, installed))


def _missing(request: PythonRequest, installed: list[Interpreter]) -> str:
    versions = sorted({python.version for python in installed})
    here = f"here are {all_of('.'.join(map(str, version)) for version in versions)}" if versions else "none is here"
    return (
        f"Python {request} ({request.origin}) is not installed: {here}"
        if request.major
        else f"no Python is here: {here}"
    )


def _next_step(request: PythonRequest, installed: list[Interpreter]) -> str:
    wanted = (request.major, request.minor)
    near = max((python for python in installed if python.version[:2] == wanted), key=str, default=None)
    if near is not None and request.patch is not None:
        return f"write {request.major}.{request.minor} into {VERSION_FILE}: {near} is here"
    return (
        f"install it (pyenv install {request}), name its path in engine.pythons, or write another version into "
        f"{VERSION_FILE}"
    )
