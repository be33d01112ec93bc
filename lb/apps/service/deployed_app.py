"""One app that the engine looks after: its identity, variables, releases, and its environments."""

from __future__ import annotations

from dataclasses import dataclass, field

from lb.apps.service.app_record import AppRecord, new_app, read_app, write_app
from lb.apps.service.app_releases import AppContext, AppReleases
from lb.apps.service.custom_variables import CustomVariables
from lb.apps.service.deploy import BuildOptions, Deployment, Receive
from lb.apps.service.deploy_state import DeployKind, DeployRecord, DeployState
from lb.apps.service.directory import ENVIRONMENTS, AppDirectory
from lb.apps.service.environment_unit import EnvironmentUnit, Workplace
from lb.apps.service.lock import AppQueue
from lb.config.model import Config

_KEPT = 20  # deploys that ended, for those who still listen


@dataclass(frozen=True, slots=True)
class DeployRequest:
    """What somebody asks for."""

    kind: DeployKind
    tag: str = ""
    message: str = ""
    who: str = ""
    receive: Receive | None = None
    options: BuildOptions = field(default_factory=BuildOptions)
    count: int | None = None


class DeployedApp:
    """`units` has an entry for each environment with `deploy: true`, and for each that still has something to end."""

    def __init__(self, name: str, home: AppDirectory, config: Config, place: Workplace) -> None:
        """Makes the app's identity if it has none. Raises StateFileError, OSError."""
        home.prepare()
        record = read_app(home.record)
        if record is None:
            record = new_app(name, place.clock.now())
            write_app(home.record, record)
        self.name = name
        self.home = home
        self.context = AppContext(record, home, place.cache, CustomVariables(home.variables), config)
        self.releases = AppReleases(self.context, place.machine, place.clock, self._pinned)
        self.queue = AppQueue(home.lock, place.clock)
        self.units: dict[str, EnvironmentUnit] = {}
        self._place = place

    @property
    def record(self) -> AppRecord:
        return self.context.record

    def deployed_environments(self) -> list[str]:
        """Those that the configuration deploys."""
        return [name for name in ENVIRONMENTS if is_deployed(self.context.config, self.name, name)]

    def unit(self, environment: str) -> EnvironmentUnit:
        """Raises StateFileError."""
        if environment not in self.units:
            self.units[environment] = EnvironmentUnit(environment, self.context, self.releases, self._place)
        return self.units[environment]

    def _pinned(self) -> set[str]:
        """Releases that are never pruned: what runs, drains, is about to run, or ran last."""
        pinned: set[str] = set()
        for unit in self.units.values():
            pinned.add(unit.life.record.release)
            pinned |= {one.release for one in unit.life.record.placed}
            pinned |= {one.release for one in unit.life.record.retiring}
            pinned |= {one.record.tag for one in unit.active()}
            done = [record for record in unit.book if record.state.serves and record.previous]
            pinned |= {record.previous for record in done[-1:]}
        return pinned - {""}

    def new_deployment(self, environment: str, identifier: str, request: DeployRequest) -> Deployment:
        """A deploy that has not begun yet."""
        unit = self.unit(environment)
        now = self._place.clock.now()
        record = DeployRecord(
            id=identifier,
            kind=request.kind,
            app=self.name,
            environment=environment,
            state=DeployState.QUEUED,
            tag=request.tag,
            message=request.message,
            who=request.who,
            begun=now,
            changed=now,
        )
        deployment = Deployment(record, unit.life, unit.book, self.queue, self.releases)
        deployment.receive = request.receive
        deployment.options = request.options
        deployment.count = request.count
        ended = [key for key, one in unit.deployments.items() if one.progress.result is not None]
        for key in ended[:-_KEPT]:
            del unit.deployments[key]
        unit.deployments[identifier] = deployment
        return deployment


def is_deployed(config: Config, app: str, environment: str) -> bool:
    """Whether the configuration has the engine run this environment."""
    if app not in config.apps:
        return False
    section = config.apps[app].production if environment == "production" else config.apps[app].staging
    return section is not None and section.deploy
