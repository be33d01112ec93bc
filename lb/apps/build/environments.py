"""Virtual environments with pip in them, made once for each interpreter and copied from then on.

Making one takes seconds, a copy a fraction of one. What makes one depends on the interpreter: its own venv, virtualenv
where it has no ensurepip or is Python 2, or uv.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from lb.apps.build.layer_cache import LayerCache
from lb.apps.build.pythons import Interpreter
from lb.apps.build.settings import BuildFailed
from lb.apps.build.steps import StepRunner

STEP = "Making the environment"
_OLD_VIRTUALENV = "virtualenv<20.22"  # the last ones that know Python 2.7 and 3.6


@dataclass(frozen=True, slots=True)
class EnvironmentMaker:
    """Makes the virtual environment of one release."""

    runner: StepRunner
    cache: Path
    environment: Mapping[str, str]
    scratch: Path

    async def make(self, python: Interpreter, venv: Path) -> None:
        """An environment with pip, and nothing else, at `venv`. Raises BuildFailed."""
        layers = LayerCache(self.cache / "environments")
        stat = python.path.stat()
        name = f"{python.path}\0{python}\0{stat.st_mtime_ns}"
        key = sha256(name.encode()).hexdigest()
        if await asyncio.to_thread(layers.take, key, venv, None):
            return
        await self._make(python, venv)
        if not (venv / "bin" / "python").exists():
            raise BuildFailed(STEP, f"{python.path} made no environment", "check that it is a whole Python")
        await asyncio.to_thread(layers.store, key, venv, None)

    async def bare(self, python: Interpreter, venv: Path) -> None:
        """The same without pip, for a project that installs nothing: a fraction of a second, even the first time."""
        await self._run(str(python.path), "-I", "-m", "venv", "--without-pip", str(venv))

    async def with_uv(self, uv: Path, python: Interpreter, venv: Path) -> None:
        """The same by uv, which is quick enough without a copy; pip is in it for the project's own commands."""
        await self._run(str(uv), "venv", "--quiet", "--seed", "--python", str(python.path), str(venv))

    async def _make(self, python: Interpreter, venv: Path) -> None:
        if python.version[0] == 2:
            await self._with_virtualenv(python, venv, await self._old_virtualenv())
            return
        try:
            await self._run(str(python.path), "-I", "-m", "venv", str(venv))
        except BuildFailed:  # Debian has ensurepip in a package of its own
            shutil.rmtree(venv, ignore_errors=True)
            virtualenv = self._virtualenv()
            if virtualenv is None:
                raise BuildFailed(
                    STEP,
                    f"{python.path} has no ensurepip, and there is no virtualenv",
                    f"apt-get install python{python.version[0]}.{python.version[1]}-venv, or pip install virtualenv",
                    self.runner.log.tail(),
                ) from None
            await self._with_virtualenv(python, venv, virtualenv)

    async def _with_virtualenv(self, python: Interpreter, venv: Path, virtualenv: tuple[str, ...]) -> None:
        await self._run(*virtualenv, "--quiet", "--no-download", "--python", str(python.path), str(venv))

    def _virtualenv(self) -> tuple[str, ...] | None:
        if find_spec("virtualenv") is not None:
            return (sys.executable, "-I", "-m", "virtualenv")
        found = shutil.which("virtualenv", path=self.environment["PATH"])
        return None if found is None else (found,)

    async def _old_virtualenv(self) -> tuple[str, ...]:
        """A virtualenv that knows Python 2.7: the engine's own copy, which is installed the first time."""
        tool = self.cache / "tools" / "virtualenv-for-2.7"
        command = (str(tool / "bin" / "python"), "-m", "virtualenv")
        if (tool / ".complete").is_file():
            return command
        shutil.rmtree(tool, ignore_errors=True)
        try:
            await self._run(sys.executable, "-I", "-m", "venv", str(tool))
            await self._run(str(tool / "bin" / "python"), "-m", "pip", "install", "--quiet", _OLD_VIRTUALENV)
        except BuildFailed as failed:
            raise BuildFailed(
                STEP,
                f"Python 2.7 needs {_OLD_VIRTUALENV}, which cannot be installed: {failed.sentence}",
                failed.next_step or "check that the package index can be reached",
                failed.tail,
            ) from None
        (tool / ".complete").touch()
        return command

    async def _run(self, *command: str) -> None:
        await self.runner.run(STEP, command, self.scratch, self.environment)
