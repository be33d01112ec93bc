"""What commands ask for that changes no instance: ps, releases, apps, logs, variables, one-off runs, the door's line.

This file knows requests and the service; how things look as data is in views.py.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from lb import __version__
from lb.apps.service.api import BAD_FILES, USAGE, EngineConnection, EngineRequest, Handler, RequestError
from lb.apps.service.app_record import new_app, write_app
from lb.apps.service.deploy_commands import DeployCommands
from lb.apps.service.deployed_app import DeployedApp, is_deployed
from lb.apps.service.directory import ENVIRONMENTS
from lb.apps.service.engine_service import EngineService, ReloadRefusedError
from lb.apps.service.git_push import prepare_repository
from lb.apps.service.placements import PROTOCOL, read_door_event
from lb.apps.service.views import addresses, view_app, view_environment, view_releases
from lb.config.model import Config
from lb.config.problems import ConfigErrors

_POLL = 0.3  # seconds between two looks at a log that is followed
_MOST_LINES = 100_000
READING = frozenset({"subscribe", "hello", "ps"})


class LookCommands:
    """Of one service; `read_config` reads its file again. Raises ConfigErrors."""

    def __init__(self, service: EngineService, deploys: DeployCommands, read_config: Callable[[], Config]) -> None:
        self._service = service
        self._deploys = deploys
        self._read_config = read_config

    def handlers(self) -> dict[str, Handler]:
        return {
            "hello": self.hello,
            "subscribe": self.subscribe,
            "ps": self.ps,
            "releases": self.releases,
            "apps": self.apps,
            "app.info": self.info,
            "app.create": self.create,
            "app.rename": self.rename,
            "app.destroy": self.destroy,
            "repository": self.repository,
            "reload": self.reload,
            "plan": self.plan,
            "shutdown": self.shutdown,
        }

    # The engine

    async def hello(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:  # noqa: ARG002
        service = self._service
        return {
            "file": str(service.file),
            "directory": str(service.home.root),
            "version": __version__,
            "pid": os.getpid(),
            "uptime": service.clock.boot() - service.began,
            "door": service.figures.is_connected,
            "apps": sorted(service.apps),
            "broken": service.broken,
        }

    async def subscribe(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:
        service = self._service
        file = request.text("file")
        if file and not same_file(file, service.file):
            raise RequestError(f"this engine runs what {service.file} deploys, not what {file} does")
        connection.tell({"protocol": PROTOCOL, "ok": True, "version": __version__, "pid": os.getpid()})

        def heard(message: Mapping[str, Any]) -> None:
            with suppress(KeyError, TypeError, ValueError):
                if (event := read_door_event(message)) is not None:
                    service.heard(event)

        connection.on_line = heard
        for placement in service.subscribe(connection.tell):
            connection.tell(placement.to_json())
        connection.tell({"event": "synchronised"})
        try:
            await connection.closed.wait()
        finally:
            service.unsubscribe(connection.tell)
        return {}

    async def reload(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:  # noqa: ARG002
        try:
            config = await asyncio.to_thread(self._read_config)
            return {"changes": self._service.reload(config)}
        except ConfigErrors as errors:
            raise RequestError("\n".join(map(str, errors.problems)), code=BAD_FILES) from None
        except ReloadRefusedError as error:
            raise RequestError(str(error)) from None

    async def plan(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:  # noqa: ARG002
        """What a reload of the file, as it is now, would do."""
        try:
            config = await asyncio.to_thread(self._read_config)
            return {"changes": self._service.plan(config), "refused": self._service.refusal(config)}
        except ConfigErrors as errors:
            raise RequestError("\n".join(map(str, errors.problems)), code=BAD_FILES) from None

    async def shutdown(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:  # noqa: ARG002
        if request.flag("apps"):
            await self._service.end_apps()
        self._service.stopping.set()
        return {"sentence": "the engine ends" + ("; all apps have ended" if request.flag("apps") else "; apps go on")}

    # Looking

    async def ps(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:  # noqa: ARG002
        apps = [self._deploys.app(request)] if request.text("app") else list(self._service.apps.values())
        shown = []
        for app in apps:
            for environment in app.deployed_environments():
                unit = app.units.get(environment)
                if unit is not None:
                    await unit.weigh()
                    shown.append(view_environment(self._service, app, unit))
        return {"environments": shown, "broken": self._service.broken}

    async def releases(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:  # noqa: ARG002
        app = self._deploys.app(request)
        return {"app": app.name, "releases": view_releases(app)}

    async def apps(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:  # noqa: ARG002
        return {"apps": [view_app(app) for app in self._service.apps.values()], "broken": self._service.broken}

    async def info(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:  # noqa: ARG002
        app = self._deploys.app(request)
        shown = view_app(app, reveal=request.flag("reveal"))
        return {**shown, "addresses": await asyncio.to_thread(addresses, self._service, app)}

    async def create(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:  # noqa: ARG002
        name, service = request.text("app"), self._service
        python = request.text("python")
        app = service.apps.get(name)
        if app is not None and python:
            app.context.record = replace(app.record, python=python)
            write_app(app.home.record, app.context.record)
            return {"sentence": f"{name} has Python {python} as its default from now on", **view_app(app)}
        if app is not None:
            raise RequestError(f"the app {name} is there already", f"lb apps info {name}", USAGE)
        if name not in service.config.apps:
            hint = f"Add apps: {{{name}: {{production: {{deploy: true}}}}}} to {service.file}, then lb reload"
            raise RequestError(f"{service.file} has no app {name}", hint, USAGE)
        home = service.home.app(name)
        home.prepare()
        write_app(home.record, new_app(name, service.clock.now(), python))
        service.open_app(name)
        return {"sentence": f"the app {name} is made", **view_app(self._deploys.app(request))}

    async def rename(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:  # noqa: ARG002
        name, new = request.text("app"), request.text("new")
        service = self._service
        app = self._idle_app(name, "rename")
        if new in service.apps or service.home.app(new).path.exists():
            raise RequestError(f"there is an app {new} already", code=USAGE)
        service.apps.pop(name)
        app.home.path.rename(service.home.app(new).path)
        service.open_app(new)
        return {"sentence": f"{name} is {new} from now on; name it so in {service.file}, then lb reload"}

    async def destroy(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:  # noqa: ARG002
        name = request.text("app")
        app = self._idle_app(name, "destroy")
        self._service.apps.pop(name)
        await asyncio.to_thread(_remove_tree, app.home.path)
        return {"sentence": f"{name} is gone, with its releases, variables, logs and repository"}

    def _idle_app(self, name: str, verb: str) -> DeployedApp:
        service = self._service
        app = service.apps.get(name)
        if app is None:
            raise RequestError(f"there is no app {name}", "lb apps lists them", USAGE)
        if any(is_deployed(service.config, name, environment) for environment in ENVIRONMENTS):
            hint = f"Take it out of {service.file}, lb reload, then lb apps {verb} {name}"
            raise RequestError(f"{service.file} still deploys the app {name}", hint, USAGE)
        if any(unit.life.instances for unit in app.units.values()):
            raise RequestError(f"instances of {name} still drain", "Try again in a minute")
        return app

    async def repository(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:  # noqa: ARG002
        app = self._deploys.app(request)
        try:
            await asyncio.to_thread(prepare_repository, app.home.repository, app.name, self._service.file)
        except FileNotFoundError:
            raise RequestError("there is no git on this machine", "Install git") from None
        return {"repository": str(app.home.repository)}


def same_file(one: str, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _remove_tree(path: Path) -> None:
    """Releases are read-only: their directories have to be opened first."""
    for directory, _, _ in os.walk(path):
        with suppress(OSError):
            Path(directory).chmod(0o700)
    shutil.rmtree(path)
