"""What commands ask for that starts instances anew: deploy, publish, roll back, restart, scale, start, stop, cancel.

Each follows its deploy until the switch and hands on what it says. This file knows requests and the service.
"""

from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from lb.apps.service.api import USAGE, EngineConnection, EngineRequest, Handler, RequestError
from lb.apps.service.app_addresses import app_urls
from lb.apps.service.deploy import BuildOptions, Deployment
from lb.apps.service.deploy_state import DeployKind, DeployState
from lb.apps.service.deployed_app import DeployedApp, DeployRequest
from lb.apps.service.directory import ENVIRONMENTS
from lb.apps.service.door_wait import wait_until_followed
from lb.apps.service.engine_service import EngineService, NoSuchAppError
from lb.apps.service.engine_socket import PeerUser
from lb.apps.service.environment_unit import EnvironmentUnit
from lb.apps.service.placement_record import DesiredState
from lb.apps.service.upload import receive_source


class DeployCommands:
    """Of one service."""

    def __init__(self, service: EngineService) -> None:
        self._service = service

    def handlers(self) -> dict[str, Handler]:
        return {
            "deploy": self.deploy,
            "publish": self.publish,
            "rollback": self.rollback,
            "restart": self.restart,
            "scale": self.scale,
            "start": self.start,
            "stop": self.stop,
            "cancel": self.cancel,
        }

    # Commands

    async def deploy(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:
        app, environment, _ = self.target(request)
        size = request.number("size", 0) or 0

        async def receive(path: Path) -> None:
            await receive_source(connection.next_chunk, size, path, app.releases.prune)

        options = BuildOptions(use_cache=not request.flag("no_cache"), show_log=request.flag("build_logs"))
        order = DeployRequest(
            DeployKind.DEPLOY,
            message=request.text("message"),
            who=_who(connection.peer),
            receive=receive,
            options=options,
        )
        deployment = self._service.begin_deploy(app, environment, order)
        return await self._follow(deployment, request, connection)

    async def publish(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:
        app = self.app(request)
        staging, _ = self._unit(app, "staging"), self._unit(app, "production")
        tag = staging.life.record.release
        if not tag:
            raise RequestError(f"nothing was deployed to staging of {app.name}", f"lb deploy {app.name} --staging")
        return await self._begin((app, "production"), DeployRequest(DeployKind.PUBLISH, tag=tag), request, connection)

    async def rollback(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:
        app, environment, unit = self.target(request)
        tag = request.text("tag") or _last_good(unit)
        known = [release.tag for release in app.releases.complete()]
        if not tag:
            raise RequestError(f"{environment} of {app.name} has no earlier version", f"lb releases {app.name}")
        if tag not in known:
            there = ", ".join(reversed(known[-3:])) or "none"
            raise RequestError(
                f"{app.name} has no release {tag}", f"The newest are {there}: lb releases {app.name}", USAGE
            )
        if tag == unit.life.record.release and unit.life.record.wish == DesiredState.RUN:
            raise RequestError(f"{tag} serves in {environment} already", f"lb restart {app.name} starts it anew")
        return await self._begin((app, environment), DeployRequest(DeployKind.ROLLBACK, tag=tag), request, connection)

    async def restart(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:
        app, environment, unit = self.target(request)
        tag = _deployed(app, environment, unit)
        return await self._begin((app, environment), DeployRequest(DeployKind.RESTART, tag=tag), request, connection)

    async def start(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:
        app, environment, unit = self.target(request)
        tag = _deployed(app, environment, unit)
        if unit.life.record.wish == DesiredState.RUN:
            return {"sentence": f"{environment} of {app.name} runs already", "tag": tag}
        return await self._begin((app, environment), DeployRequest(DeployKind.START, tag=tag), request, connection)

    async def scale(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:
        app, environment, unit = self.target(request)
        count = request.number("count")
        if count is None or not 1 <= count <= 100:
            raise RequestError("a number of instances is from 1 to 100", f"lb stop {app.name} ends all", USAGE)
        tag = _deployed(app, environment, unit)
        return await self._begin(
            (app, environment), DeployRequest(DeployKind.SCALE, tag=tag, count=count), request, connection
        )

    async def stop(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:  # noqa: ARG002
        app, environment, unit = self.target(request)
        _deployed(app, environment, unit)
        for deployment in unit.active():
            deployment.cancel()
        async with unit.life.rollout:
            if unit.life.record.wish != DesiredState.STOP:
                unit.life.retire_all("", DesiredState.STOP)
        late = await wait_until_followed(unit.life, self._service.figures)
        return _with_note({"sentence": f"{environment} of {app.name} is stopped: its instances drain and end"}, late)

    async def cancel(self, request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:  # noqa: ARG002
        app, environment, unit = self.target(request)
        cancelled = [one for one in unit.active() if one.cancel()]
        if not cancelled:
            raise RequestError(f"no deploy of {environment} of {app.name} is under way that could be cancelled")
        for one in cancelled:
            await _result(one)
        return {
            "sentence": f"{_number(len(cancelled), 'deploy')} cancelled",
            "deploys": [one.record.id for one in cancelled],
        }

    # Parts

    def app(self, request: EngineRequest) -> DeployedApp:
        try:
            return self._service.app(request.text("app"))
        except NoSuchAppError as error:
            raise RequestError(str(error), code=USAGE) from None

    def target(self, request: EngineRequest) -> tuple[DeployedApp, str, EnvironmentUnit]:
        app = self.app(request)
        environment = request.text("environment", "production")
        if environment not in ENVIRONMENTS:
            raise RequestError(f"{environment!r} is neither production nor staging", code=USAGE)
        return app, environment, self._unit(app, environment)

    def _unit(self, app: DeployedApp, environment: str) -> EnvironmentUnit:
        try:
            return self._service.unit(app, environment)
        except NoSuchAppError as error:
            raise RequestError(str(error), code=USAGE) from None

    async def _begin(
        self,
        target: tuple[DeployedApp, str],
        order: DeployRequest,
        request: EngineRequest,
        connection: EngineConnection,
    ) -> Mapping[str, Any]:
        order = replace(order, message=request.text("message"), who=_who(connection.peer))
        return await self._follow(self._service.begin_deploy(*target, order), request, connection)

    async def _follow(
        self, deployment: Deployment, request: EngineRequest, connection: EngineConnection
    ) -> Mapping[str, Any]:
        """Hands on what the deploy says, until its end or the client's."""
        attached = request.flag("attached")

        def heard(message: Mapping[str, Any]) -> None:
            if message.get("command") == "cancel":
                deployment.cancel()

        connection.on_line = heard
        gone = asyncio.ensure_future(connection.closed.wait())
        hand_on = asyncio.ensure_future(_hand_on(deployment, connection))
        try:
            await asyncio.wait((hand_on, gone), return_when=asyncio.FIRST_COMPLETED)
            if not hand_on.done() and attached:
                deployment.cancel()
            if not hand_on.done():
                return {"sentence": "the client has gone; the deploy goes on"}
        finally:
            gone.cancel()
            hand_on.cancel()
            with suppress(asyncio.CancelledError):
                await hand_on
        return await self._switched(deployment)

    async def _switched(self, deployment: Deployment) -> Mapping[str, Any]:
        """The result, once the front door's workers go by what the deploy has changed."""
        result = deployment.progress.result or {}
        if not result.get("ok"):
            return result
        service, app, environment = self._service, deployment.record.app, deployment.record.environment
        unit = service.apps[app].unit(environment)
        found = {**result, "urls": app_urls(service.config, app, environment)}
        if not service.figures.is_connected:
            found["next_step"] = f"No front door serves it yet: lb serve {service.file}"
        return _with_note(found, await wait_until_followed(unit.life, service.figures))


async def _hand_on(deployment: Deployment, connection: EngineConnection) -> None:
    await connection.send({"event": "deploy", "id": deployment.record.id})
    async for event in deployment.progress.follow():
        if event["event"] != "result":
            await connection.send(event)


async def _result(deployment: Deployment) -> None:
    async for _ in deployment.progress.follow():
        pass


def _deployed(app: DeployedApp, environment: str, unit: EnvironmentUnit) -> str:
    """The release of an environment. Raises RequestError where nothing was deployed."""
    tag = unit.life.record.release
    if not tag:
        flag = "--prod" if environment == "production" else "--staging"
        raise RequestError(f"nothing was deployed to {environment} of {app.name}", f"lb deploy {app.name} {flag}")
    return tag


def _last_good(unit: EnvironmentUnit) -> str:
    """The version that served before the one that serves."""
    now = unit.life.record.release
    served = [record.previous for record in unit.book if record.state.serves or record.state == DeployState.DONE]
    return next((tag for tag in reversed(served) if tag and tag != now), "")


def _who(peer: PeerUser) -> str:
    try:
        return pwd.getpwuid(peer.user).pw_name
    except KeyError:
        return f"user {peer.user}" if peer.user != os.geteuid() else ""


def _with_note(result: Mapping[str, Any], note: str) -> Mapping[str, Any]:
    return {**result, "sentence": f"{result['sentence']}; {note}"} if note else result


def _number(count: int, noun: str) -> str:
    return f"{count} {noun} was" if count == 1 else f"{count} {noun}s were"
