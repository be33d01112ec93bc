"""The Python that a project asks for: one that is installed, or one that uv fetches, or words that say what to do."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
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
    failed: BuildFailed | None = None
    uv = shutil.which("uv", path=f"{Path(sys.prefix) / 'bin'}:{environment['PATH']}")
    if uv is not None and settings.python_mirror != OFF and request.major != 2:
        try:
            allowed = _with_mirror(environment, settings.python_mirror, own)
            await _fetch(uv, request, runner, allowed, scratch)
        except BuildFailed as error:
            failed = error
        installed = await find_pythons(settings.pythons, own)
    found = choose(request, installed) or choose(_or_later(request), installed)
    if found is None or (request.patch is not None and found.version[2] < request.patch):
        sentence = _missing(request, installed)
        if failed is not None:
            sentence += f"; uv cannot fetch it: {failed.sentence}"
        raise BuildFailed(STEP, sentence, _next_step(request, installed), failed.tail if failed is not None else ())
    return found


def _or_later(request: PythonRequest) -> PythonRequest:
    """The same without its last number: a later patch of a minor version has the same language and library."""
    return request if request.patch is None else replace(request, patch=None)


async def _fetch(
    uv: str, request: PythonRequest, runner: StepRunner, environment: Mapping[str, str], scratch: Path
) -> None:
    step = f"Installing Python {request}".rstrip()
    runner.log.headline(step)
    command = (uv, "python", "install", "--no-bin", f"cpython-{request}" if request.major else "cpython")
    await runner.run(step, command, scratch, environment)


def _with_mirror(environment: Mapping[str, str], mirror: str, own: Path) -> dict[str, str]:
    allowed = {**environment, "UV_PYTHON_DOWNLOADS": "manual", "UV_PYTHON_INSTALL_DIR": str(own)}
    return {**allowed, "UV_PYTHON_INSTALL_MIRROR": mirror} if mirror else allowed


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
