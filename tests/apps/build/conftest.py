"""An index of wheels in a folder, a cache that all builds of a run share, and builds of small projects."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from lb.apps.build.builder import build
from lb.apps.build.settings import BuildOrder, BuildResult, BuildSettings
from lb.apps.project.detect import ProjectDefaults

OWN_PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}.{sys.version_info[2]}"
WSGI = "def application(environ, start_response): ...\n"


@dataclass
class Bench:
    """Builds projects into releases of one folder."""

    folder: Path
    wheels: Path
    settings: BuildSettings
    told: list[str] = field(default_factory=list)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    count: int = 0

    def order(self, files: Mapping[str, str], **more: object) -> BuildOrder:
        """The order of a release with these files."""
        self.count += 1
        release = self.folder / f"20261130-1200{self.count:02}"
        for name, text in {"wsgi.py": WSGI, "requirements.txt": "", **files}.items():
            path = release / "source" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return replace(BuildOrder(release / "source", release, self.settings), **more)  # type: ignore[arg-type]

    async def build(self, files: Mapping[str, str] | None = None, **more: object) -> BuildResult:
        return await self.carry_out(self.order(files or {}, **more))

    async def carry_out(self, order: BuildOrder) -> BuildResult:
        self.told.clear()
        return await build(order, self.told.append, self.cancelled)

    @property
    def release(self) -> Path:
        """The release of the last build."""
        return self.folder / f"20261130-1200{self.count:02}"

    def log(self) -> str:
        return (self.release / "build.log").read_text()


@pytest.fixture(scope="session")
def shared_environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Environments with pip: to make one takes seconds."""
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
def bench(tmp_path: Path, shared_environments: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIP_CONSTRAINT", "PIP_CERT", "VIRTUAL_ENV"):
        monkeypatch.delenv(name, raising=False)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "environments").symlink_to(shared_environments)
    defaults = ProjectDefaults(python=OWN_PYTHON)
    own = (str(Path(sys.base_prefix) / "bin" / "python3"),)
    settings = BuildSettings(cache=cache, pythons=own, python_mirror="off", defaults=defaults)
    return Bench(tmp_path / "releases", wheels, settings)


def run_in(built: BuildResult, code: str) -> str:
    """What a program prints with the Python of a release, in its folder."""
    command = (built.venv / "bin" / "python", "-c", code)
    done = subprocess.run(command, cwd=built.project, capture_output=True, text=True, timeout=60, check=False)
    return (done.stdout + done.stderr).strip()
