"""The releases of one app as deploys and instances need them: a new tag, the build, the order for an instance.

Joins lb.apps.build and lb.apps.run with what the configuration and the app's record say. This file knows how they fit
together. It must not know when anything of it happens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from lb.apps.build.processes import end_leftovers
from lb.apps.build.release import (
    Release,
    ReleaseMeta,
    list_releases,
    next_tag,
    prune,
    remove_release,
    seal,
)
from lb.apps.project.start import Serving, StartPlan
from lb.apps.run.order import InstanceOrder, Isolation, LogLimits, Network, PlatformVariables
from lb.apps.service.app_record import AppRecord
from lb.apps.service.clock import EngineClock
from lb.apps.service.custom_variables import CustomVariables
from lb.apps.service.deploy import BuildOptions
from lb.apps.service.deploy_state import DeployRecord
from lb.apps.service.directory import AppDirectory
from lb.apps.service.parts import (
    BuildReport,
    BuildRequest,
    CheckOrder,
    Machine,
    NotStartedError,
    ReleaseFacts,
    Say,
)
from lb.apps.service.progress import Progress
from lb.config.engine import EngineSettings
from lb.config.model import App, Config, EnvironmentSettings
from lb.config.names import CATCH_ALL, is_staging, shared_names

_FAILED_KEPT = 10  # logs of builds that failed
_HEADLINE, _INDENT = "-----> ", " " * 7  # as a build's log has them
_ENVIRONMENT_NAMES = {"production": "production", "staging": "stage"}  # LEANCLOUD_APP_ENV


@dataclass(slots=True)
class AppContext:
    """What is known of an app; the settings change with a reload."""

    record: AppRecord
    home: AppDirectory
    cache: Path
    variables: CustomVariables
    config: Config

    @property
    def engine(self) -> EngineSettings:
        return self.config.engine

    @property
    def app(self) -> App:
        return self.config.apps.get(self.record.name, App())

    def environment(self, name: str) -> EnvironmentSettings:
        """What the configuration says; the defaults where it no longer says anything: what runs still has to end."""
        section = self.app.production if name == "production" else self.app.staging
        return section if section is not None else EnvironmentSettings(deploy=True)


class AppReleases:
    """Of one app."""

    def __init__(
        self, context: AppContext, machine: Machine, clock: EngineClock, pinned: Callable[[], set[str]]
    ) -> None:
        self._context = context
        self._machine = machine
        self._clock = clock
        self._pinned = pinned
        self._reserved = ""

    def all(self) -> list[Release]:
        """Oldest first, complete or not."""
        return list_releases(self._context.home.releases)

    def complete(self) -> list[Release]:
        return [one for one in self.all() if one.complete]

    # What a deploy asks (deploy.Releases)

    def reserve(self) -> tuple[str, Path]:
        releases = self.all()
        last = max((one.tag for one in releases), default="")
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        offset = now.astimezone(ZoneInfo(self._context.engine.zone)).utcoffset() or timedelta()
        tag = self._reserved = next_tag(now, max(last, self._reserved) or None, offset)
        path = self._context.home.releases / tag
        path.mkdir(mode=0o700)
        return tag, path

    async def build(
        self, record: DeployRecord, release: Path, progress: Progress, cancelled: asyncio.Event, options: BuildOptions
    ) -> BuildReport:
        context = self._context
        request = BuildRequest(
            app=record.app,
            tag=record.tag,
            source=release / "source",
            release=release,
            cache=context.cache,
            python=context.record.python,
            variables=context.variables.values(record.environment),
            secrets=(*context.record.secrets, *context.variables.masked()),
            use_cache=options.use_cache,
            verbose=options.show_log,
        )
        report = await self._machine.build(request, partial(_hand_on, progress), cancelled)
        meta = ReleaseMeta(
            message=record.message,
            who=record.who,
            when=self._clock.now(),
            size=report.size,
            python=report.python,
            start=report.start,
        )
        await asyncio.to_thread(seal, release, meta)
        return report

    def remove(self, tag: str) -> None:
        """An unfinished release goes; what its build wrote is kept beside the releases."""
        path = self._context.home.releases / tag
        with suppress(FileNotFoundError):
            (path / "build.log").rename(self.failed_log(tag))
        with suppress(FileNotFoundError):
            remove_release(path)
        for old in sorted(self._context.home.failed_builds.glob("*.log"))[:-_FAILED_KEPT]:
            old.unlink(missing_ok=True)

    def failed_log(self, tag: str) -> Path:
        """Where the log of a build is that failed."""
        folder = self._context.home.failed_builds
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder / f"{tag}.log"

    async def end_leftovers(self) -> None:
        """Ends what builds of an engine that was killed have left running."""
        for release in self.all():
            if not release.complete:
                await end_leftovers(release.path)

    def prune(self) -> None:
        prune(self._context.home.releases, self._context.engine.keep_releases, self._pinned())

    def release_command(self, tag: str) -> str | None:
        return self.release(tag).start.release

    async def run_once(self, environment: str, tag: str, command: str, say: Say) -> None:
        orders = EnvironmentOrders(self._context, environment, self)
        instance = await self._machine.launch(orders.instance(self.release(tag), "release", command))
        try:
            ended = await instance.wait_exit()
        except asyncio.CancelledError:
            await asyncio.shield(instance.kill())
            raise
        lines = ended.lines or await instance.last_lines()
        instance.forget()
        if ended.status != 0:
            sentence = f"The release command {ended.sentence()}"
            raise NotStartedError(sentence, "Nothing has changed. Mend the command, and deploy again.", lines)
        for line in lines:
            say(line)

    # What an instance needs

    def release(self, tag: str) -> ReleaseFacts:
        """Raises NotStartedError where it is gone."""
        found = next((one for one in self.complete() if one.tag == tag), None)
        if found is None or found.meta is None:
            raise NotStartedError(f"the release {tag or 'of this environment'} is gone", "Deploy again")
        return ReleaseFacts(tag, found.path, found.path / "source", found.path / "venv", found.meta.start)


class EnvironmentOrders:
    """The orders for instances of one environment (reconciler.Orders)."""

    def __init__(self, context: AppContext, environment: str, releases: AppReleases) -> None:
        self._context = context
        self._environment = environment
        self._releases = releases

    @property
    def _settings(self) -> EnvironmentSettings:
        return self._context.environment(self._environment)

    def release(self, tag: str) -> ReleaseFacts:
        return self._releases.release(tag)

    def instance(self, release: ReleaseFacts, name: str, command: str | None = None) -> InstanceOrder:
        context, settings = self._context, self._settings
        start = release.start if command is None else StartPlan(Serving.COMMAND, command=command)
        logs = settings.logs
        return InstanceOrder(
            app=context.record.name,
            environment=self._environment,
            name=name,
            release=release.path,
            project=release.project,
            venv=release.venv,
            start=start,
            platform=self._platform(release.tag),
            log_dir=context.home.environment(self._environment).logs,
            variables=context.variables.values(self._environment),
            memory=settings.memory,
            cpus=settings.cpus,
            quota=settings.quota,
            ports=range(context.engine.ports.first, context.engine.ports.last + 1),
            network=Network(settings.network),
            logs=LogLimits(logs.line, logs.rate, logs.keep, logs.size),
            stop_timeout=settings.stop_timeout,
            isolation=Isolation(context.engine.isolation),
            listens=command is None,
        )

    def _platform(self, tag: str) -> PlatformVariables:
        record, engine = self._context.record, self._context.engine
        return PlatformVariables(
            record.app_id,
            record.app_key,
            record.master_key,
            record.hook_key,
            _ENVIRONMENT_NAMES[self._environment],
            region=engine.region,
            timezone=engine.zone,
            api_server=engine.api_server or "",
            version_tag=tag,
        )

    def check(self, release: ReleaseFacts) -> CheckOrder:
        settings, start, config = self._settings, release.start, self._context.config
        mode = settings.functions_mode if settings.functions_mode != "auto" else ""
        app = self._context.app
        through_cdn = app.client_from == "forwarded" or any(
            domain.cdn or domain.client_from == "forwarded" for domain in app.domains
        )
        return CheckOrder(
            host=check_host(config, self._context.record.name, self._environment),
            proto="https" if config.listen.https or through_cdn else "http",
            uri=settings.health_uri,
            timeout=start.startup_timeout if start.startup_timeout is not None else settings.startup_timeout,
            functions_mode=start.functions_mode or mode,
        )


def _hand_on(progress: Progress, line: str) -> None:
    """A line of the build, which marks its headlines itself."""
    if line.startswith(_HEADLINE):
        progress.step(line.removeprefix(_HEADLINE))
    else:
        progress.line(line.removeprefix(_INDENT))


def check_host(config: Config, app: str, environment: str) -> str:
    """A domain that leads to the environment, since apps refuse hosts that are not theirs; "localhost" without one."""
    names = [domain.name for domain in config.apps[app].domains] if app in config.apps else []
    if config.shared_domain is not None:
        names += shared_names(app, config.shared_domain)
    fitting = [name for name in names if name != CATCH_ALL and is_staging(name) == (environment == "staging")]
    exact = [name for name in fitting if not name.startswith("*.")]
    return exact[0] if exact else next((name.replace("*", "www", 1) for name in fitting), "localhost")
