"""The engine service as a whole: the apps of one configuration, the doors that listen, and what a reload changes.

It starts as it goes on: reads its directory, takes over what runs, ends what nobody wants, starts what lacks. When it
ends, everything that runs goes on. This file knows apps and doors. How commands arrive is in api.py, what they do in
commands.py.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import secrets
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lb.apps.service.clock import EngineClock
from lb.apps.service.deploy import Deployment
from lb.apps.service.deploy_state import DeployKind
from lb.apps.service.deployed_app import DeployedApp, DeployRequest, is_deployed
from lb.apps.service.directory import ENVIRONMENTS, EngineDirectory, StateFileError, default_directory
from lb.apps.service.door_figures import DoorFigures
from lb.apps.service.environment_unit import EnvironmentUnit, Workplace
from lb.apps.service.parts import Machine, RunningInstance
from lb.apps.service.placement_record import DesiredState
from lb.apps.service.placements import Activity, Applied, DoorEvent, InstanceVerdict, Placement, WakeWanted
from lb.apps.service.reload_plan import added, planned_changes, restarted, taken_away
from lb.config.engine import refused_change
from lb.config.model import Config

log = logging.getLogger("lb.engine")

_WEIGH = 5  # seconds between two looks at what instances use

Listener = Callable[[Mapping[str, Any]], None]
"""Gets each message for a door."""


class EngineStartError(Exception):
    """The engine cannot begin; the text says why and what to do."""


class ReloadRefusedError(Exception):
    """A change of the configuration that needs a restart of the engine."""


class NoSuchAppError(Exception):
    """The text names the apps that there are."""


class EngineService:
    """Its `home` is where it keeps everything; `machine` acts."""

    def __init__(self, config: Config, file: Path, home: EngineDirectory, machine: Machine, clock: EngineClock) -> None:
        self.config = config
        self.file = file
        self.home = home
        self.machine = machine
        self.clock = clock
        self.figures = DoorFigures()
        self._place = Workplace(home.cache, machine, clock, self.figures, self._announce)
        self.apps: dict[str, DeployedApp] = {}
        self.broken: dict[str, str] = {}  # apps whose state cannot be read, and why
        self.began = clock.boot()
        self.stopping = asyncio.Event()
        self._listeners: set[Listener] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lock = -1

    # Start and end

    async def begin(self) -> None:
        """Raises EngineStartError."""
        try:
            self.home.prepare()
            self._take_directory()
        except OSError as error:
            reason = f"{error.filename or self.home.root}: {error.strerror}"
            raise EngineStartError(f"{reason}. Set engine.directory to one that is the engine's own") from None
        found = await self.machine.adopt()
        names = dict.fromkeys([*self._configured(), *self.home.app_names()])
        for name in names:
            self.open_app(name)
        unwanted: list[RunningInstance] = []
        for app in self.apps.values():
            await app.releases.end_leftovers()
            for environment in ENVIRONMENTS:
                mine = [one for one in found if (one.facts.app, one.facts.environment) == (app.name, environment)]
                unwanted += self._adopt(app, environment, mine)
        known = {*self.apps, *self.broken}
        unwanted += [one for one in found if one.facts.app not in known]
        for app in self.apps.values():
            for unit in app.units.values():
                self._begin_unit(app, unit)
        for instance in unwanted:
            log.info(
                "app %s %s %s is wanted by nobody, and ends",
                instance.facts.app,
                instance.facts.environment,
                instance.facts.name,
            )
            self.spawn(_end(instance))
        self.spawn(self._tick())

    def open_app(self, name: str) -> None:
        """Knows an app from now on, and makes its identity if it has none."""
        try:
            self.apps[name] = DeployedApp(name, self.home.app(name), self.config, self._place)
        except (StateFileError, OSError) as error:
            self._is_broken(name, error)

    def _adopt(self, app: DeployedApp, environment: str, found: list[RunningInstance]) -> list[RunningInstance]:
        """Takes over one environment, if there is anything of it. What cannot be read is left alone."""
        home = app.home.environment(environment)
        if not is_deployed(self.config, app.name, environment) and not home.placement.exists():
            return found
        try:
            return app.unit(environment).adopt(found)
        except (StateFileError, OSError) as error:
            app.units.pop(environment, None)
            self._is_broken(f"{app.name} {environment}", error)
            return []

    def _is_broken(self, what: str, error: Exception) -> None:
        reason = str(error) if isinstance(error, StateFileError) else f"{getattr(error, 'filename', '')}: {error}"
        self.broken[what] = reason
        log.error("app %s is left as it is: %s", what, reason)

    def _begin_unit(self, app: DeployedApp, unit: EnvironmentUnit) -> None:
        if is_deployed(self.config, app.name, unit.name):
            unit.life.begin()
        elif unit.life.record.wish != DesiredState.NOTHING:
            self._take_away(unit)

    def _take_away(self, unit: EnvironmentUnit) -> None:
        """An environment is no longer deployed: what runs drains and ends, releases and data stay."""
        life = unit.life
        log.info("%s is no longer deployed: its instances drain and end", life.title)
        life.gone = True
        for deployment in unit.active():
            deployment.cancel()
        if life.record.placed or life.record.wish != DesiredState.STOP:
            life.retire_all("", DesiredState.STOP)
        else:
            life.announce()

    def _take_directory(self) -> None:
        """One engine a directory: two would end each other's instances."""
        path = self.home.root / ".engine.lock"
        self._lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._lock, 4096, 0).decode(errors="replace").strip()
            raise EngineStartError(
                f"{self.home.root} is used by another engine already{f' ({holder})' if holder else ''}. "
                "Stop it (lb engine stop), or give this one an engine.directory of its own"
            ) from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"process {os.getpid()}, for {self.file}\n".encode(), 0)

    def take_leave(self) -> None:
        """Tells the doors that the engine ends on purpose."""
        self._tell_doors({"event": "leaving"})

    async def close(self) -> None:
        """Leaves everything as it runs."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for app in self.apps.values():
            for unit in app.units.values():
                await unit.life.close()
        if self._lock >= 0:
            os.close(self._lock)

    async def end_apps(self) -> None:
        """`lb engine stop --apps`: SIGTERM to everything, and its end. It starts again with the next engine."""
        units = [unit for app in self.apps.values() for unit in app.units.values()]
        for deployment in [one for unit in units for one in unit.active()]:
            if deployment.cancel():
                async for _ in deployment.progress.follow():
                    pass
        instances = []
        for unit in units:
            await unit.life.close()  # else it would start what ends
            instances += list(unit.life.instances.values())
        await asyncio.gather(*(_end(instance) for instance in instances))

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_tell)
        return task

    async def _tick(self) -> None:
        seconds = 0
        while True:
            await self.clock.sleep(1.0)
            seconds += 1
            if seconds % _WEIGH == 0:
                await self._weigh()
            for app in self.apps.values():
                for unit in list(app.units.values()):
                    try:
                        unit.look()
                    except OSError as error:
                        log.warning("%s: %s", unit.life.title, error)

    async def _weigh(self) -> None:
        for unit in [unit for app in self.apps.values() for unit in app.units.values()]:
            await unit.weigh()
            if self._listeners and unit.usage:
                self._tell_doors(view_usage(unit))

    # Doors

    def subscribe(self, listener: Listener) -> list[Placement]:
        """`listener` hears of each change from now on; returns how things are."""
        self._listeners.add(listener)
        self.figures.connected()
        return [unit.life.placement() for app in self.apps.values() for unit in app.units.values()]

    def unsubscribe(self, listener: Listener) -> None:
        self._listeners.discard(listener)
        self.figures.lost()

    def _announce(self, placement: Placement) -> None:
        self._tell_doors(placement.to_json())

    def _tell_doors(self, message: Mapping[str, Any]) -> None:
        for listener in list(self._listeners):
            listener(message)

    def heard(self, event: DoorEvent) -> None:
        """A door says something."""
        app = self.apps.get(event.app)
        unit = app.units.get(event.environment) if app is not None else None
        if unit is None:
            return
        match event:
            case Activity():
                self.figures.heard(event, self.clock.boot())
                unit.saw(event)
            case Applied():
                self.figures.heard(event, self.clock.boot())
            case WakeWanted():
                unit.sleeper.wanted()
            case InstanceVerdict():
                unit.replacer.judge(event.id, None if event.is_healthy else event.cause or "it failed")

    # Apps

    def _configured(self) -> list[str]:
        return [name for name in self.config.apps if any(is_deployed(self.config, name, one) for one in ENVIRONMENTS)]

    def app(self, name: str) -> DeployedApp:
        """Raises NoSuchAppError."""
        if name in self.apps:
            return self.apps[name]
        if name in self.broken:
            raise NoSuchAppError(f"the app {name} cannot be used: {self.broken[name]}")
        known = ", ".join(self.apps) or "none"
        where = f"add it to {self.file} (apps: {{{name}: {{production: {{deploy: true}}}}}}), then lb engine reload"
        if name in self.config.apps:
            where = f"write deploy: true instead of instances in {self.file}, then lb engine reload"
        raise NoSuchAppError(f'no app "{name}" is deployed here (there are: {known}): {where}')

    def unit(self, app: DeployedApp, environment: str) -> EnvironmentUnit:
        """Raises NoSuchAppError."""
        if f"{app.name} {environment}" in self.broken:
            raise NoSuchAppError(f"{app.name} {environment} cannot be used: {self.broken[f'{app.name} {environment}']}")
        if not is_deployed(self.config, app.name, environment):
            where = f"add apps.{app.name}.{environment}: {{deploy: true}} to {self.file}, then lb engine reload"
            raise NoSuchAppError(f"the app {app.name} has no {environment} that is deployed: {where}")
        return app.unit(environment)

    def begin_deploy(self, app: DeployedApp, environment: str, request: DeployRequest) -> Deployment:
        """Starts one; it goes on whoever listens. Raises NoSuchAppError."""
        self.unit(app, environment)
        deployment = app.new_deployment(environment, secrets.token_hex(4), request)
        self.spawn(_run(deployment))
        return deployment

    # Reload

    def reload(self, config: Config) -> list[str]:
        """Takes over a changed configuration; returns what that does, in sentences. Raises ReloadRefusedError."""
        before = self.config
        if reason := refused_change(before.engine, config.engine):
            raise ReloadRefusedError(reason)
        self.config = config
        if hasattr(self.machine, "engine"):
            self.machine.engine = config.engine
        said = []
        for name in self._configured():
            if name not in self.apps and name not in self.broken:
                self.open_app(name)
        for app in self.apps.values():
            app.context.config = config
            for environment in ENVIRONMENTS:
                said += self._reload_environment(app, environment, before, config)
        return said

    def _reload_environment(self, app: DeployedApp, environment: str, before: Config, config: Config) -> list[str]:
        was, is_now = (is_deployed(one, app.name, environment) for one in (before, config))
        title = f"app {app.name} {environment}"
        if not is_now:
            unit = app.units.get(environment)
            if was and unit is not None:
                self._take_away(unit)
                return [taken_away(title)]
            return []
        try:
            unit = app.unit(environment)
        except StateFileError as error:
            self._is_broken(title, error)
            return [f"{title}: {error}"]
        if not was:
            unit.life.gone = False
            unit.life.settings = app.context.environment(environment)
            unit.life.write(unit.life.record.next())
            return [added(title, app.name)]
        if keys := unit.change_settings(app.context.environment(environment)):
            self.begin_deploy(app, environment, DeployRequest(DeployKind.SETTINGS))
            return [restarted(title, keys)]
        return []

    def plan(self, config: Config) -> list[str]:
        """What `reload` would do and say."""
        if reason := self.refusal(config):
            return [f"a reload is refused: {reason}"]
        return list(planned_changes(self.config, config, self._runs))

    def refusal(self, config: Config) -> str:
        """Why `reload` would refuse this; "" if it would not."""
        return refused_change(self.config.engine, config.engine)

    def _runs(self, app: str, environment: str) -> bool:
        unit = self.apps[app].units.get(environment) if app in self.apps else None
        return unit is not None and unit.life.record.wish == DesiredState.RUN


def view_usage(unit: EnvironmentUnit) -> dict[str, Any]:
    """What an environment's instances use, as a door is told."""
    by_id = {slot.instance.id: slot for slot in unit.life.slots.values() if slot.instance is not None}
    instances = {}
    for identifier, usage in unit.usage.items():
        slot = by_id.get(identifier)
        instances[identifier] = {
            "memory": usage.memory,
            "cpu": usage.cpu,
            "files": usage.files,
            "processes": usage.processes,
            "restarts": slot.restarts if slot is not None else 0,
            "last_cause": slot.last_cause if slot is not None else "",
        }
    return {"event": "usage", "app": unit.life.app, "environment": unit.name, "instances": instances}


def engine_directory(config: Config, environ: Mapping[str, str]) -> EngineDirectory:
    """Where the engine of a configuration keeps its things; a relative path is seen from the working directory."""
    directory = config.engine.directory
    return EngineDirectory(directory.absolute() if directory is not None else default_directory(environ))


async def _run(deployment: Deployment) -> None:
    await deployment.run()


async def _end(instance: RunningInstance) -> None:
    with suppress(OSError):
        await instance.terminate(None)
    instance.forget()


def _tell(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the engine's fault: %s", error, exc_info=error)
