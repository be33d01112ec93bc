"""The default install of a project's dependencies: by pip, or by uv where it is chosen or the project has a uv.lock."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lb.apps.build.settings import BuildFailed
from lb.apps.project.requirements import REQUIREMENTS, Requirements

STEP = "Installing dependencies"


@dataclass(frozen=True, slots=True)
class Installer:
    """How packages are installed into the environment at `venv`; `uv` is set where uv does it."""

    venv: Path
    uv: Path | None
    requirements: Requirements

    @property
    def name(self) -> str:
        return "pip" if self.uv is None else "uv"

    def list_command(self) -> tuple[str, ...] | None:
        """What installs the project's list; None where there is nothing to install."""
        if self.requirements.manager == "uv":
            return (str(self.uv), "sync", "--frozen", "--no-dev", "--no-progress")
        if self.requirements.manager != "pip" or not (self.requirements.names or self.requirements.fresh):
            return None
        return self._install("-r", REQUIREMENTS)

    def package_command(self, package: str) -> tuple[str, ...]:
        """What installs one more package."""
        return self._install(package)

    def _install(self, *what: str) -> tuple[str, ...]:
        python = str(self.venv / "bin" / "python")
        if self.uv is None:
            return (python, "-m", "pip", "install", *what)
        return (str(self.uv), "pip", "install", "--python", python, *what)


def find_uv(chosen: str, requirements: Requirements, environment: Mapping[str, str]) -> Path | None:
    """uv, where it is to be used. Raises BuildFailed where it is, and is not installed."""
    if chosen != "uv" and requirements.manager != "uv":
        return None
    found = shutil.which("uv", path=f"{Path(sys.prefix) / 'bin'}:{environment['PATH']}")
    if found is not None:
        return Path(found)
    why = "engine.installer is uv" if chosen == "uv" else "the project has a uv.lock"
    raise BuildFailed(STEP, f"{why}, but uv is not installed here", "pip install uv, in lb's own environment")
