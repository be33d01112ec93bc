"""Source → a release that can be started: Python, dependencies, the project's own commands, in this order.

Each part stands in a file of its own; this one knows the order, and what of it can be left out. Nothing outside of the
release and the engine's cache is written. The release is complete only once its owner has sealed it (release.py).
"""

from __future__ import annotations

import asyncio
import errno
import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lb.apps.build import install_folder, release, servers
from lb.apps.build.build_log import BuildLog
from lb.apps.build.environment import build_environment
from lb.apps.build.environments import EnvironmentMaker
from lb.apps.build.installer import STEP as INSTALLING
from lb.apps.build.installer import Installer, find_uv
from lb.apps.build.layer_cache import LayerCache, key_of
from lb.apps.build.masking import Masker
from lb.apps.build.pythons import Interpreter
from lb.apps.build.settings import BuildCancelledError, BuildFailed, BuildOrder, BuildResult
from lb.apps.build.steps import Budget, StepRunner
from lb.apps.build.system_step import need_system_dependencies
from lb.apps.build.wanted_python import need_python
from lb.apps.project.detect import Project, read_project, refuse_environment
from lb.apps.project.start import Serving

BUILDING = "Building"
FINISHING = "Finishing"
STORING = "Storing the release"
_COMPILE = 'python -m compileall -q -x "/(node_modules|[.]git)/" . >/dev/null 2>&1 || true'


async def build(order: BuildOrder, log: Callable[[str], None], cancelled: asyncio.Event) -> BuildResult:
    """Builds one release; `log` gets what is to be shown. Raises ProjectError, BuildFailed and BuildCancelledError.

    When it returns, or raises, no process of the build is running. A build that failed leaves build.log, and whatever
    else there is for its owner to remove.
    """
    masker = Masker((*order.variables.values(), *order.secrets))
    written = BuildLog(order.release / "build.log", masker, log, verbose=order.verbose)
    try:
        return await _Build(order, written, cancelled).run()
    except OSError as error:
        raise _of_system(error) from error
    finally:
        written.close()


def _of_system(error: OSError) -> BuildFailed:
    """What the engine itself could not do: nearly always its disk is full."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return BuildFailed(STORING, "the engine's disk is full", "free space there, then deploy again")
    place = f": {error.filename}" if error.filename else ""
    return BuildFailed(STORING, f"{error.strerror or error}{place}", "look at the engine's directory")


class _Build:
    """One build, from its order to its result."""

    def __init__(self, order: BuildOrder, log: BuildLog, cancelled: asyncio.Event) -> None:
        self._order = order
        self._log = log
        self._cancelled = cancelled
        self._settings = order.settings
        self._venv = order.release / "venv"
        self._scratch = order.release / ".scratch"
        self._runner = StepRunner(order.release, Budget(order.settings.limits), log, cancelled)
        self._cache = order.settings.cache
        self._notes: list[str] = []

    async def run(self) -> BuildResult:
        for path in (self._scratch / "home", self._scratch / "tmp", self._cache):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            return await self._run()
        finally:
            await asyncio.to_thread(shutil.rmtree, self._scratch, ignore_errors=True)

    async def _run(self) -> BuildResult:
        order = self._order
        project = await asyncio.to_thread(read_project, order.source, self._settings.defaults)
        if project.root != order.source:
            self._log.note(f"The project is in {project.root.relative_to(order.source)}/")
            install_folder.move_up(order.source, project.root, order.release)
            project = replace(project, root=order.source)
        refuse_environment(project.root)
        for note in project.notes:
            self._note(note)
        environment = self._environment(project)
        python = await need_python(project.python, self._settings, self._runner, environment, self._scratch)
        self._log.headline(f"Using Python {python} ({project.python.origin or 'the newest here'})")
        if not project.python.admits(python.version):
            self._note(f"{project.python.origin} asks for {project.python}, which is not here: {python} is used")
        await need_system_dependencies(project.manifest.system_dependencies, self._settings, self._runner, environment)
        cache_hit = await self._dependencies(project, python, environment)
        await self._commands(project, environment)
        await self._runner.shell(FINISHING, _COMPILE, order.source, environment)
        size = sum([await asyncio.to_thread(release.size_of, part) for part in (order.source, self._venv)])
        return BuildResult(project.start, order.source, self._venv, str(python), size, cache_hit, tuple(self._notes))

    def _environment(self, project: Project) -> dict[str, str]:
        exposed = self._order.variables if project.manifest.expose_environments else {}
        return build_environment(os.environ, self._venv, self._scratch, self._cache, exposed)

    async def _dependencies(self, project: Project, python: Interpreter, environment: dict[str, str]) -> bool:
        """Installs what the project needs, or copies what an earlier build has installed; whether it was copied."""
        uv = find_uv(self._settings.installer, project.requirements, environment)
        installer = Installer(self._venv, uv, project.requirements)
        layers = LayerCache(self._cache / "layers")
        key = await asyncio.to_thread(self._key, project, python, installer)
        source = self._order.source
        if key is not None and self._order.use_cache and await asyncio.to_thread(layers.take, key, self._venv, source):
            self._log.headline("Reusing the dependencies of an earlier build")
            self._note_server(project)
            return True
        self._check_cancelled()
        await self._make_environment(project, python, installer, environment)
        made = await self._install(project, installer, environment)
        await self._server(project, python, installer, environment)
        if key is not None:
            await asyncio.to_thread(layers.store, key, self._venv, made)
        if made is not None:
            await asyncio.to_thread(install_folder.put_back, source, self._order.release)
        return False

    async def _make_environment(
        self, project: Project, python: Interpreter, installer: Installer, environment: dict[str, str]
    ) -> None:
        maker = EnvironmentMaker(self._runner, self._cache, environment, self._scratch)
        manifest, start = project.manifest, project.start
        installs = manifest.install or manifest.build or installer.list_command() is not None or python.version[0] == 2
        if not installs:
            await maker.bare(python, self._venv)
            if start.serving is Serving.COMMAND or servers.copy_server(start.server, python, self._venv) is not None:
                return
            await asyncio.to_thread(shutil.rmtree, self._venv, ignore_errors=True)
        if installer.uv is None:
            await maker.make(python, self._venv)
        else:
            await maker.with_uv(installer.uv, python, self._venv)

    async def _install(self, project: Project, installer: Installer, environment: dict[str, str]) -> Path | None:
        """Runs the install commands; the folder that holds what they made, if they saw the lists alone (B6)."""
        source = self._order.source
        commands = project.manifest.install
        if commands is None and installer.list_command() is None:
            return None
        self._log.headline(f"Installing dependencies with {installer.name if commands is None else 'install'}")
        alone = not project.requirements.whole_tree
        if alone:
            install_folder.show_only(source, self._order.release, install_folder.visible(project))
        for command in commands if commands is not None else (None,):
            if command is None or command.is_default:
                if (listed := installer.list_command()) is not None:
                    await self._runner.run(INSTALLING, listed, source, environment)
            elif command.text:
                await self._runner.shell(INSTALLING, command.text, source, environment)
        return source if alone else None

    async def _server(
        self, project: Project, python: Interpreter, installer: Installer, environment: dict[str, str]
    ) -> None:
        """Adds the server that starts the app, if the project brings none."""
        server = project.start.server
        if project.start.serving is Serving.COMMAND or server in servers.installed_packages(self._venv):
            self._note_server(project)
            return
        copied = await asyncio.to_thread(servers.copy_server, server, python, self._venv)
        if copied is None:
            step = f"Installing {server}"
            self._log.headline(step)
            await self._runner.run(step, installer.package_command(server), self._scratch, environment)
        self._note_server(project)

    def _note_server(self, project: Project) -> None:
        server = project.start.server
        if server and server not in project.requirements.names:
            found = servers.installed_packages(self._venv).get(server, "")
            self._note(f"{server} {found} is used, because the project names no server")

    async def _commands(self, project: Project, environment: dict[str, str]) -> None:
        commands = [command.text for command in project.manifest.build or () if command.text]
        if commands:
            self._log.headline("Building")
        for command in commands:
            await self._runner.shell(BUILDING, command, self._order.source, environment)

    def _key(self, project: Project, python: Interpreter, installer: Installer) -> str | None:
        """The name of the layer of this project's dependencies; None where they must be installed anew each time."""
        commands = project.manifest.install
        if project.requirements.fresh or (commands and any(map(install_folder.is_fresh, commands))):
            return None
        exposed = self._order.variables if project.manifest.expose_environments else {}
        facts: dict[str, Any] = {
            "python": [str(python.path), str(python)],
            "machine": [platform.machine(), *platform.libc_ver()],
            "installer": [installer.name, installer.uv.stat().st_mtime_ns if installer.uv is not None else 0],
            "install": None if commands is None else [[item.text, item.is_default, item.require] for item in commands],
            "manager": project.requirements.manager,
            "server": [project.start.server, _own_version(project.start.server)],
            "exposed": sha256(repr(sorted(exposed.items())).encode()).hexdigest() if exposed else "",
        }
        return key_of(facts, project.root, install_folder.visible(project))

    def _note(self, text: str) -> None:
        self._notes.append(text)
        self._log.note(text)

    def _check_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise BuildCancelledError


def _own_version(server: str) -> str:
    """The version of a server that could be copied from the engine's environment."""
    try:
        return version(server) if server else ""
    except PackageNotFoundError:
        return ""
