"""What an operator decides about builds, and what one build is asked for and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lb.apps.project.detect import ProjectDefaults
from lb.apps.project.start import StartPlan

GIB = 1 << 30
MINUTE = 60.0
TAIL = 50  # lines of a failed step that are shown


@dataclass(frozen=True, slots=True)
class BuildLimits:
    """What one build may use (B13): seconds of CPU and of the clock, bytes of memory, cores. None: no bound."""

    cpu_time: float | None = 30 * MINUTE
    timeout: float | None = 30 * MINUTE
    memory: int | None = 4 * GIB
    cpus: int | None = 2


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """The engine's part of a build: `cache` is a directory of its own that outlives releases.

    `pythons` are glob patterns of interpreters; `python_mirror` is "" (the default of uv), a URL, or "off": use only
    what is installed. `apt` lets a build install what `systemDependencies` names.
    """

    cache: Path
    installer: str = "pip"
    pythons: tuple[str, ...] = ()
    python_mirror: str = ""
    limits: BuildLimits = field(default_factory=BuildLimits)
    apt: bool = False
    defaults: ProjectDefaults = field(default_factory=ProjectDefaults)


@dataclass(frozen=True, slots=True)
class BuildOrder:
    """One build. `source` is `release / "source"`, unpacked; `release` is the final place, which is never moved.

    `variables` reach the commands only if the project exposes them; their values, and `secrets`, are masked in logs.
    `verbose` sends every line to the log, not only the steps (`--build-logs`).
    """

    source: Path
    release: Path
    settings: BuildSettings
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    use_cache: bool = True
    verbose: bool = False


@dataclass(frozen=True, slots=True)
class BuildResult:
    """A release that can be started once `release.seal` has been called. The app's directory is `project`."""

    start: StartPlan
    project: Path
    venv: Path
    python: str
    size: int
    cache_hit: bool
    notes: tuple[str, ...]


class BuildFailed(Exception):  # noqa: N818  the name that the engine's words have for it
    """A build that ended without a release: the `step`, why, the next step, and the last lines that it wrote."""

    def __init__(self, step: str, sentence: str, next_step: str = "", tail: tuple[str, ...] = ()) -> None:
        self.step = step
        self.sentence = sentence
        self.next_step = next_step
        self.tail = tail
        super().__init__(sentence)

    def __str__(self) -> str:
        return "\n".join(filter(None, [*self.tail, f"{self.step}: {self.sentence}", self.next_step]))


class BuildCancelledError(Exception):
    """The build was cancelled by its owner; nothing of it runs any more."""
