"""What commands ask for about an app's variables, its logs, and one-off runs.

None of it touches an instance that serves. This file knows requests, and where an app keeps what.
"""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from lb.apps.run.log_files import LogFollower, LogLine, LogQuery, parse_time, read_all, read_last
from lb.apps.service.api import USAGE, EngineConnection, EngineRequest, Handler, RequestError
from lb.apps.service.app_releases import EnvironmentOrders
from lb.apps.service.custom_variables import VariableError
from lb.apps.service.deploy_commands import DeployCommands
from lb.apps.service.deployed_app import DeployedApp
from lb.apps.service.directory import ENVIRONMENTS
from lb.apps.service.engine_service import EngineService
from lb.apps.service.parts import NotStartedError, RunningInstance

_POLL = 0.3  # seconds between two looks at a log that is followed
_MOST_LINES = 100_000
_TAG = re.compile(r"[0-9]{8}-[0-9]{6}", re.ASCII)


class AppCommands:
    """Of one service."""

    def __init__(self, service: EngineService, deploys: DeployCommands) -> None:
        self._service = service
        self._deploys = deploys

    def handlers(self) -> dict[str, Handler]:
        return {
            "env": self.variables,
            "env.set": self.set_variables,
            "env.unset": self.unset_variables,
            "logs": self.logs,
            "run": self.run,
        }

    # Variables

    async def variables(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:  # noqa: ARG002
        app, environment, _ = self._deploys.target(request)
        reveal = request.flag("reveal")
        shown = {
            name: {"value": one.value if reveal and not one.secret else "", "secret": one.secret}
            for name, one in app.context.variables.of(environment).items()
        }
        return {"app": app.name, "environment": environment, "variables": shown}

    async def set_variables(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:  # noqa: ARG002
        app, environment, _ = self._deploys.target(request)
        values = request.mapping("values")
        try:
            app.context.variables.set(environment, values, secret=request.flag("secret"))
        except VariableError as error:
            raise RequestError(str(error), code=USAGE) from None
        return {"sentence": _variables_sentence(app, environment, len(values), "set"), "names": sorted(values)}

    async def unset_variables(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:  # noqa: ARG002
        app, environment, _ = self._deploys.target(request)
        names = request.texts("names")
        try:
            app.context.variables.unset(environment, names)
        except VariableError as error:
            raise RequestError(str(error), code=USAGE) from None
        return {"sentence": _variables_sentence(app, environment, len(names), "unset"), "names": names}

    # Logs

    async def logs(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:
        app = self._deploys.app(request)
        if tag := request.text("build"):
            return {"log": await asyncio.to_thread(_build_log, app, tag)}
        query = self._query(request)
        wanted = request.text("environment")
        folders = [(name, app.home.environment(name).logs) for name in ENVIRONMENTS if wanted in ("", name)]
        followers = [(name, LogFollower(folder, query)) for name, folder in folders] if request.flag("follow") else []
        count = request.number("lines", 30) or 0
        for name, line in await asyncio.to_thread(_lines, folders, min(count, _MOST_LINES), query):
            await connection.send(_shown(name, line))
        while followers and not connection.closed.is_set():
            for name, follower in followers:
                for line in await asyncio.to_thread(follower.poll):
                    await connection.send(_shown(name, line))
            with suppress(TimeoutError):
                await asyncio.wait_for(connection.closed.wait(), _POLL)
        return {}

    def _query(self, request: EngineRequest) -> LogQuery:
        zone = ZoneInfo(self._service.config.engine.zone)
        since, until = request.text("from"), request.text("to")
        try:
            return LogQuery(
                streams=frozenset({"err"}) if request.flag("stderr") else frozenset(),
                instance=request.text("instance"),
                tag=request.text("release"),
                since=parse_time(since, zone) if since else "",
                until=parse_time(until, zone, end=True) if until else "",
            )
        except ValueError as error:
            raise RequestError(str(error), code=USAGE) from None

    # One-off runs

    async def run(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:
        app, environment, unit = self._deploys.target(request)
        argv = request.texts("argv")
        if not argv:
            raise RequestError("there is no command to run", f"lb run {app.name} -- python manage.py shell", USAGE)
        name = unit.one_off_name()
        orders = EnvironmentOrders(app.context, environment, app.releases)
        try:
            release = orders.release(unit.life.record.release)
            folder = app.home.environment(environment).logs
            follower = LogFollower(folder, LogQuery(instance=name))
            command = argv[0] if len(argv) == 1 else shlex.join(argv)
            order = replace(orders.instance(release, name, command), stdin=request.flag("stdin"))
            instance = await self._service.machine.launch(order)
        except NotStartedError as error:
            unit.one_offs.discard(name)
            raise RequestError(error.sentence, error.next_step) from None
        ended = asyncio.ensure_future(instance.wait_exit())
        gone = asyncio.ensure_future(connection.closed.wait())
        feed = asyncio.ensure_future(_feed(connection, instance))
        try:
            while not ended.done():
                await asyncio.wait((ended, gone), timeout=_POLL, return_when=asyncio.FIRST_COMPLETED)
                await _hand_on(follower, connection)
                if gone.done() and not ended.done():
                    await instance.terminate(unit.life.settings.stop_timeout)
            await _hand_on(follower, connection)
        finally:
            gone.cancel()
            feed.cancel()
            if not ended.done():
                ended.cancel()
                await asyncio.shield(instance.kill())
            instance.forget()
            unit.one_offs.discard(name)
        how = ended.result()
        status = how.status if how.status is not None else 128 + (how.signal or 0)
        return {
            "name": name,
            "status": status,
            "sentence": f"{name} {how.sentence()}",
            "ok": status == 0,
            "code": status,
        }


async def _feed(connection: EngineConnection, instance: RunningInstance) -> None:
    """What the client sends is the command's standard input. It is read to its end even if the command does not."""
    reads = True
    while piece := await connection.next_chunk():
        reads = reads and await instance.write_stdin(piece)
    await instance.write_stdin(b"")


async def _hand_on(follower: LogFollower, connection: EngineConnection) -> None:
    for line in await asyncio.to_thread(follower.poll):
        await connection.send({"event": "output", "stream": line.stream, "text": line.text})


def _shown(environment: str, line: LogLine) -> dict[str, Any]:
    return {"event": "log", "environment": environment, **line.to_json()}


def _lines(folders: list[tuple[str, Path]], count: int, query: LogQuery) -> list[tuple[str, LogLine]]:
    """The last `count` lines; all of a span of time where one is given with its beginning."""
    found: list[tuple[str, LogLine]] = []
    for name, folder in folders:
        lines = list(read_all(folder, query))[:_MOST_LINES] if query.since else read_last(folder, count, query)
        found += [(name, line) for line in lines]
    found.sort(key=lambda one: one[1].time)
    return found if query.since else found[-count:] if count else []


def _build_log(app: DeployedApp, tag: str) -> str:
    for path in (app.home.releases / tag / "build.log", app.home.failed_builds / f"{tag}.log"):
        if _TAG.fullmatch(tag) and path.is_file():
            return path.read_text(encoding="utf-8", errors="replace")
    raise RequestError(f"{app.name} has no build {tag}", f"lb releases {app.name}", USAGE)


def _variables_sentence(app: DeployedApp, environment: str, count: int, verb: str) -> str:
    what = "1 variable" if count == 1 else f"{count} variables"
    return (
        f"{what} {verb} for {environment} of {app.name}; instances get them at their next start (lb restart {app.name})"
    )
