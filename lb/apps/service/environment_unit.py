"""One environment of a deployed app with all that looks after it; what the service has one of for each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lb.apps.run.usage import Usage
from lb.apps.service.app_releases import AppContext, AppReleases, EnvironmentOrders
from lb.apps.service.clock import EngineClock
from lb.apps.service.deploy import Deployment
from lb.apps.service.deploy_state import DeployBook, DeployState
from lb.apps.service.door_figures import DoorFigures
from lb.apps.service.parts import Machine, RunningInstance
from lb.apps.service.placement_record import DesiredState
from lb.apps.service.placements import Activity, Placement
from lb.apps.service.reconciler import Reconciler, ReconcilerContext
from lb.apps.service.recovery import recover
from lb.apps.service.replacement import Replacer
from lb.apps.service.retirement import Retirer
from lb.apps.service.sleeper import Sleeper
from lb.config.model import EnvironmentSettings

log = logging.getLogger("lb.engine")

# A change of one of these needs instances to be started anew.
_BOUND_AT_START = ("memory", "cpus", "quota", "network", "logs", "stop_timeout")


@dataclass(frozen=True, slots=True)
class Workplace:
    """What all environments of an engine have in common."""

    cache: Path
    machine: Machine
    clock: EngineClock
    figures: DoorFigures
    announce: Callable[[Placement], None]


class EnvironmentUnit:
    """`life` and its companions. `deployments` are those that this engine has begun, by id."""

    def __init__(self, name: str, context: AppContext, releases: AppReleases, place: Workplace) -> None:
        """Raises StateFileError."""
        app = context.record.name
        home = context.home.environment(name)
        orders = EnvironmentOrders(context, name, releases)
        around = ReconcilerContext(place.machine, place.clock, orders, place.announce, self._retired)
        self.name = name
        self.life = Reconciler(app, name, context.environment(name), home, around)
        self.book = DeployBook(home.deploys)
        self.retirer = Retirer(self.life, partial(place.figures.busy, app, name))
        self.replacer = Replacer(self.life)
        self.sleeper = Sleeper(self.life, place.figures)
        self.usage: dict[str, Usage] = {}
        self.cpu_share: dict[str, float] = {}  # CPUs that each instance uses at present
        self._weighed = place.clock.boot()
        self.deployments: dict[str, Deployment] = {}
        self.one_offs: set[str] = set()  # names of `lb run`s under way
        self._clock = place.clock
        self._releases = releases
        if self.life.record.count is not None and self.life.record.configured != self.life.settings.count:
            self.life.write(self.life.record.next(count=None, configured=None), tell=False)

    def adopt(self, found: Iterable[RunningInstance]) -> list[RunningInstance]:
        """Takes over what runs and what the engine before left unfinished; returns what nobody wants."""
        unwanted = self.life.adopt(found)
        recovered = recover(self.life, self.book, self._clock, self._releases.remove, unwanted)
        return [instance for instance in unwanted if instance.id not in recovered.kept]

    def look(self) -> None:
        """To be called each second."""
        self.retirer.look()
        self.replacer.look()
        self.sleeper.look()

    async def weigh(self) -> None:
        """To be called every few seconds: what each instance uses."""
        now = self._clock.boot()
        since, self._weighed = now - self._weighed, now
        usage: dict[str, Usage] = {}
        for identifier, instance in list(self.life.instances.items()):
            try:
                usage[identifier] = await instance.statistics()
            except OSError:
                continue
            before = self.usage.get(identifier)
            if before is not None and since > 0:
                self.cpu_share[identifier] = max(0.0, usage[identifier].cpu - before.cpu) / since
            self.replacer.weigh(identifier, usage[identifier])
        self.usage = usage
        self.cpu_share = {key: share for key, share in self.cpu_share.items() if key in usage}

    def one_off_name(self) -> str:
        """A name for another `lb run`: run.1, run.2 …; to be taken out of `one_offs` when it has ended."""
        number = 1
        while f"run.{number}" in self.one_offs:
            number += 1
        self.one_offs.add(f"run.{number}")
        return f"run.{number}"

    def saw(self, activity: Activity) -> None:
        self.sleeper.saw(activity)

    def active(self) -> list[Deployment]:
        """Deploys that have not switched yet, oldest first."""
        return [one for one in self.deployments.values() if not one.record.state.serves and one.progress.result is None]

    def change_settings(self, settings: EnvironmentSettings) -> bool:
        """Takes over changed settings; returns whether instances have to be started anew for them."""
        before, self.life.settings = self.life.settings, settings
        if before.count != settings.count and self.life.record.count is not None:
            self.life.write(self.life.record.next(count=None, configured=None), tell=False)
        count_changed = before.count != settings.count
        bound = any(getattr(before, key) != getattr(settings, key) for key in _BOUND_AT_START)
        return (count_changed or bound) and self.life.record.wish == DesiredState.RUN

    def _retired(self, deploy: str, everything: bool) -> None:
        record = self.book.find(deploy)
        if record is None or not record.state.serves or record.state.is_final:
            return
        try:
            self.book.move(record, DeployState.DONE if everything else DeployState.STOPPING, self._clock.now())
        except OSError as error:
            log.warning("%s: the deploy's state cannot be written: %s", self.life.title, error.strerror)
