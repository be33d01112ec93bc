"""The real machine: builds by lb.apps.build, instances by lb.apps.run, their errors in the service's words."""

from __future__ import annotations

import asyncio
from pathlib import Path

from lb.apps.build.builder import build
from lb.apps.build.settings import BuildCancelledError, BuildFailed, BuildLimits, BuildOrder, BuildSettings
from lb.apps.project.detect import ProjectDefaults
from lb.apps.project.errors import ProjectError
from lb.apps.run.instance import LaunchedInstance, LaunchError, adopt, launch
from lb.apps.run.listening import beside_the_door, listeners
from lb.apps.run.order import InstanceOrder
from lb.apps.run.start import start_instance
from lb.apps.run.start_check import StartCheck, StartFailed
from lb.apps.service.parts import (
    BuildReport,
    BuildRequest,
    CheckOrder,
    DeployCancelledError,
    NotBuiltError,
    NotStartedError,
    RunningInstance,
    Say,
)
from lb.config.engine import EngineSettings


class RealMachine:
    """The machine itself. `engine` are the settings that hold at present."""

    def __init__(self, run_root: Path, engine: EngineSettings) -> None:
        self.engine = engine
        self._run_root = run_root

    async def build(self, request: BuildRequest, say: Say, cancelled: asyncio.Event) -> BuildReport:
        engine = self.engine
        limits = engine.build
        order = BuildOrder(
            source=request.source,
            release=request.release,
            settings=BuildSettings(
                cache=request.cache,
                installer=engine.installer,
                pythons=engine.pythons,
                python_mirror=engine.python_mirror or "",
                limits=BuildLimits(limits.cpu_time, limits.timeout, limits.memory, max(1, round(limits.cpus))),
                apt=engine.apt,
                defaults=ProjectDefaults(python=request.python),
            ),
            variables=request.variables,
            secrets=request.secrets,
            use_cache=request.use_cache,
            verbose=request.verbose,
        )
        try:
            built = await build(order, say, cancelled)
        except ProjectError as error:
            raise _not_built(error) from None
        except BuildFailed as error:
            raise NotBuiltError(f"{error.step}: {error.sentence}", error.next_step, error.tail) from None
        except BuildCancelledError:
            raise DeployCancelledError from None
        return BuildReport(built.start, built.python, built.size, built.cache_hit, built.notes)

    async def launch(self, order: InstanceOrder) -> RunningInstance:
        try:
            return await launch(order, self._run_root)
        except LaunchError as error:
            raise NotStartedError(error.sentence, error.next_step) from None

    async def start(self, order: InstanceOrder, check: CheckOrder) -> RunningInstance:
        wanted = StartCheck(
            host=check.host,
            proto=check.proto,
            health_uri=check.uri or "/",
            timeout=check.timeout,
            functions_mode=check.functions_mode,
            credentials=check.credentials,
        )
        try:
            return await start_instance(order, self._run_root, wanted)
        except StartFailed as error:
            raise NotStartedError(error.sentence, error.next_step, tuple(error.lines)) from None
        except LaunchError as error:
            raise NotStartedError(error.sentence, error.next_step) from None

    async def beside_the_door(self, instance: RunningInstance) -> str:
        if not isinstance(instance, LaunchedInstance) or not instance.port:
            return ""
        pids = await instance.pids()
        return await asyncio.to_thread(lambda: beside_the_door(listeners(pids), instance.port))

    async def adopt(self) -> list[RunningInstance]:
        return list(await adopt(self._run_root))


def _not_built(error: ProjectError) -> NotBuiltError:
    if error.problems:
        return NotBuiltError(str(error), is_project=True)
    place = f"{error.file}: " if error.file else ""
    return NotBuiltError(f"{place}{error.sentence}", error.next_step, is_project=True)
