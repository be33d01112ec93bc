"""`lb engine run`: the engine service as a process. SIGTERM ends it and leaves all apps running; SIGHUP reloads.

This file joins the service to its socket, its signals and the real machine, and knows nothing of what they do.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from lb.apps.service.api import EngineApi
from lb.apps.service.app_commands import AppCommands
from lb.apps.service.clock import SystemClock
from lb.apps.service.deploy_commands import DeployCommands
from lb.apps.service.engine_service import EngineService, EngineStartError, ReloadRefusedError, engine_directory
from lb.apps.service.engine_socket import EngineListener, EngineSocketError, open_listener
from lb.apps.service.look_commands import READING, LookCommands
from lb.apps.service.machine import RealMachine
from lb.config.model import Config
from lb.config.problems import ConfigErrors

log = logging.getLogger("lb.engine")

ReadConfig = Callable[[], Config]


def run_engine(
    config: Config, file: Path, read_config: ReadConfig, environ: Mapping[str, str], ready: Callable[[str], None]
) -> None:
    """Serves until a signal or `lb engine stop`. `ready` is called once it can be asked. Raises EngineStartError."""
    try:
        listener = open_listener(file, environ)
    except EngineSocketError as error:
        raise EngineStartError(str(error)) from None
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise EngineStartError(f"the engine's socket cannot be made: {error.strerror or error}{where}") from None
    os.umask(0o077)
    try:
        asyncio.run(_serve(config, file, read_config, environ, listener, ready))
    finally:
        listener.close()


async def _serve(
    config: Config,
    file: Path,
    read_config: ReadConfig,
    environ: Mapping[str, str],
    listener: EngineListener,
    ready: Callable[[str], None],
) -> None:
    home = engine_directory(config, environ)
    service = EngineService(config, file, home, RealMachine(home.run, config.engine), SystemClock())
    deploys = DeployCommands(service)
    commands = (deploys, AppCommands(service, deploys), LookCommands(service, deploys, read_config))
    handlers = {name: handler for group in commands for name, handler in group.handlers().items()}
    api = EngineApi(listener, handlers, READING)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.stopping.set)
    loop.add_signal_handler(signal.SIGHUP, _reload, service, read_config)
    try:
        await service.begin()
        await api.begin()
        ready(f"the engine runs what {file} deploys, in {home.root}")
        await service.stopping.wait()
        log.info("the engine ends; what runs goes on")
        service.take_leave()
    finally:
        if hasattr(api, "_server"):
            await api.close()
        await service.close()


def _reload(service: EngineService, read_config: ReadConfig) -> None:
    try:
        for change in service.reload(read_config()):
            log.info("%s", change)
    except ConfigErrors as errors:
        log.error("the changed file is not used: %s", "; ".join(map(str, errors.problems)))  # noqa: TRY400
    except ReloadRefusedError as error:
        log.error("the changed file is not used: %s", error)  # noqa: TRY400
