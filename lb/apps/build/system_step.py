"""The step of a build that sees to `systemDependencies`: it looks, and installs only where the operator allows it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from lb.apps.build.settings import BuildFailed, BuildSettings
from lb.apps.build.steps import StepRunner
from lb.apps.build.system_packages import apt_command, apt_packages, missing, sources
from lb.config.suggest import all_of

STEP = "Looking for system dependencies"
_APT = {"DEBIAN_FRONTEND": "noninteractive"}


async def need_system_dependencies(
    names: tuple[str, ...], settings: BuildSettings, runner: StepRunner, environment: Mapping[str, str]
) -> None:
    """Raises BuildFailed where one of them is not there, and may not or cannot be installed."""
    absent = missing(names, environment["PATH"])
    if not absent:
        return
    packages = apt_packages(absent)
    if settings.apt and packages:
        runner.log.headline(f"Installing {all_of(packages)} for systemDependencies")
        await runner.run(STEP, apt_command(packages), settings.cache, {**environment, **_APT})
        absent = missing(names, environment["PATH"])
        packages = apt_packages(absent)
    if absent:
        steps = [f"run: {shlex.join(apt_command(packages))}"] if packages else []
        verb = "are" if len(absent) > 1 else "is"
        raise BuildFailed(STEP, f"{all_of(absent)} {verb} not on this machine", "; ".join(steps + sources(absent)))
