# ruff: noqa: ARG002  a fake takes what the real one takes
"""A machine without processes, a clock that tests move, and an environment of an app on them.

`World.kill` is SIGKILL for the engine: nothing of it acts any more, what runs goes on; `World.restart` is the next one.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from lb.apps.project.start import Serving, StartPlan
from lb.apps.run.exit import Exit
from lb.apps.run.order import InstanceFacts, InstanceOrder, Isolation, Network, PlatformVariables
from lb.apps.run.usage import Usage
from lb.apps.service.deploy import BuildOptions, Deployment, DeployOutcome
from lb.apps.service.deploy_state import DeployBook, DeployKind, DeployRecord, DeployState
from lb.apps.service.directory import AppDirectory
from lb.apps.service.door_figures import DoorFigures
from lb.apps.service.lock import AppQueue
from lb.apps.service.parts import (
    BuildReport,
    BuildRequest,
    CheckOrder,
    DeployCancelledError,
    NotBuiltError,
    NotStartedError,
    ReleaseFacts,
    RunningInstance,
    Say,
)
from lb.apps.service.placements import Activity, Applied, InstanceFigures, Placement, PlacementState
from lb.apps.service.progress import Progress
from lb.apps.service.reconciler import Reconciler, ReconcilerContext
from lb.apps.service.recovery import recover
from lb.apps.service.replacement import Replacer
from lb.apps.service.retirement import Retirer
from lb.apps.service.sleeper import Sleeper
from lb.config.model import EnvironmentSettings

GIB = 1 << 30
ROUNDS = 60  # of the loop, after which everything that can go on has gone on


async def settle() -> None:
    for _ in range(ROUNDS):
        await asyncio.sleep(0)


class FakeClock:
    """Seconds since boot, moved by `advance` alone."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.boot_name = "boot-1"
        self.epoch = 1_764_464_000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._number = 0

    def now(self) -> float:
        return self.epoch + self.time

    def boot(self) -> float:
        return self.time

    def boot_id(self) -> str:
        return self.boot_name

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        self._number += 1
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.time + seconds, self._number, future))
        await future

    async def advance(self, seconds: float) -> None:
        end = self.time + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            self.time, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)
            await settle()
        self.time = end
        await settle()


class FakeInstance:
    """A process that runs until it is told to end, or a test ends it."""

    def __init__(self, facts: InstanceFacts, machine: FakeMachine) -> None:
        self.facts = facts
        self.machine = machine
        self.ended: Exit | None = None
        self.terms = 0
        self.graces: list[float | None] = []
        self.usage = Usage(50 << 20, 1.5, 3, 20, 4096, 10, 0)
        self._end = asyncio.Event()

    @property
    def id(self) -> str:
        return self.facts.id

    @property
    def endpoint(self) -> str:
        return self.facts.endpoint

    @property
    def was_told(self) -> bool:
        """It was told to end."""
        return self.terms > 0

    def exits(self, ended: Exit) -> None:
        self.ended = ended
        self._end.set()

    async def terminate(self, grace: float | None = None) -> Exit:
        await self.machine.alive()
        self.terms += 1
        self.graces.append(grace)
        if self.ended is None:
            self.exits(Exit(status=0, asked=True))
        assert self.ended is not None
        return self.ended

    async def kill(self) -> Exit:
        return await self.terminate(0.0)

    async def wait_exit(self) -> Exit:
        await self._end.wait()
        await self.machine.alive()
        assert self.ended is not None
        return self.ended

    async def statistics(self) -> Usage:
        return self.usage

    async def last_lines(self, count: int = 20) -> tuple[str, ...]:
        return ("Listening", "Traceback")[:count]

    async def write_stdin(self, data: bytes) -> bool:
        return False

    def forget(self) -> None:
        self.machine.running.pop(self.id, None)


class FakeMachine:
    """`running` outlives the engine. `broken` are release tags whose instances do not start, `held` the check."""

    def __init__(self) -> None:
        self.running: dict[str, FakeInstance] = {}
        self.launched: list[InstanceOrder] = []
        self.broken: dict[str, str] = {}
        self.broken_names: dict[str, int] = {}  # name → how often it fails
        self.held: asyncio.Event | None = None
        self.dead = False
        self.builds: list[BuildRequest] = []
        self._number = 0

    async def alive(self) -> None:
        """Of a dead engine nothing acts any more."""
        if self.dead:
            await asyncio.Event().wait()

    async def build(self, request: BuildRequest, say: Say, cancelled: asyncio.Event) -> BuildReport:
        raise AssertionError("the releases of this world are fakes: nothing is built")

    async def launch(self, order: InstanceOrder) -> FakeInstance:
        await self.alive()
        self.launched.append(order)
        self._number += 1
        identifier = f"{self._number:08x}"
        facts = InstanceFacts(
            id=identifier,
            token=f"token-{identifier}",
            app=order.app,
            environment=order.environment,
            name=order.name,
            tag=order.platform.version_tag,
            release=str(order.release),
            endpoint=f"unix:/run/i/{identifier}.sock" if order.listens else "",
            isolation=Isolation.NONE,
            network=Network.HOST,
            memory=None,
            quota=None,
            stop_timeout=10.0,
            log_dir=str(order.log_dir),
            started=0.0,
        )
        self.running[identifier] = instance = FakeInstance(facts, self)
        return instance

    async def start(self, order: InstanceOrder, check: CheckOrder) -> FakeInstance:
        instance = await self.launch(order)
        try:
            await self._check(instance)
        except BaseException:
            if not self.dead:
                instance.terms += 1
                instance.forget()
            raise
        return instance

    async def _check(self, instance: FakeInstance) -> None:
        if self.held is not None:
            await self.held.wait()
        await self.alive()
        name = instance.facts.name
        if sentence := self.broken.get(instance.facts.tag):
            raise NotStartedError(sentence, "Look at the log.", ("Traceback",))
        if self.broken_names.get(name, 0):
            self.broken_names[name] -= 1
            raise NotStartedError(f"{name} exited with status 3.", "", ("boom",))

    async def beside_the_door(self, instance: RunningInstance) -> str:
        return ""

    async def adopt(self) -> list[RunningInstance]:
        return list(self.running.values())

    def names(self, tag: str = "") -> list[str]:
        return sorted(one.facts.name for one in self.running.values() if not tag or one.facts.tag == tag)


class FakeReleases:
    """Releases are directories with nothing in them; what a build does, a test says."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.building: Callable[[Path, asyncio.Event], object] | None = None
        self.hold: asyncio.Event | None = None
        self.problem: NotBuiltError | None = None
        self.command: str | None = None
        self.commands: list[tuple[str, str, str]] = []
        self.command_fails = False
        self.workers: dict[str, str] = {}
        self.at_once = 0
        self.most_at_once = 0
        self.number = 0

    def reserve(self) -> tuple[str, Path]:
        self.number += 1
        tag = f"20261130-09{self.number:02}00"
        (self.directory / tag).mkdir(parents=True)
        return tag, self.directory / tag

    async def build(
        self, record: DeployRecord, release: Path, progress: Progress, cancelled: asyncio.Event, options: BuildOptions
    ) -> BuildReport:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            for _ in range(3):
                await asyncio.sleep(0)
            if self.hold is not None:
                hold = asyncio.ensure_future(self.hold.wait())
                cancel = asyncio.ensure_future(cancelled.wait())
                await asyncio.wait((hold, cancel), return_when=asyncio.FIRST_COMPLETED)
                hold.cancel()
                cancel.cancel()
                if cancelled.is_set():
                    raise DeployCancelledError
            if self.problem is not None:
                raise self.problem
            (release / ".complete").touch()
            return BuildReport(self.plan(), "3.11.7", 1000, False)
        finally:
            self.at_once -= 1

    def plan(self) -> StartPlan:
        return StartPlan(Serving.WSGI, module="wsgi", server="gunicorn", release=self.command, workers=self.workers)

    def remove(self, tag: str) -> None:
        path = self.directory / tag
        if path.exists():
            for child in path.iterdir():
                child.unlink()
            path.rmdir()

    def prune(self) -> None:
        pass

    async def run_once(self, environment: str, tag: str, command: str, say: Say) -> None:
        self.commands.append((environment, tag, command))
        if self.command_fails:
            raise NotStartedError("The release command exited with status 1.", "Mend it.", ("no such table",))

    def release_command(self, tag: str) -> str | None:
        return self.command

    # What the reconciler asks

    def release(self, tag: str) -> ReleaseFacts:
        path = self.directory / tag
        if not (path / ".complete").exists():
            raise NotStartedError(f"The release {tag} is gone.")
        return ReleaseFacts(tag, path, path / "source", path / "venv", self.plan())

    def instance(self, release: ReleaseFacts, name: str, command: str | None = None) -> InstanceOrder:
        return InstanceOrder(
            app="shop",
            environment="production",
            name=name,
            release=release.path,
            project=release.project,
            venv=release.venv,
            start=release.start if command is None else StartPlan(Serving.COMMAND, command=command),
            platform=PlatformVariables("id", "key", "master", "hook", "production", version_tag=release.tag),
            log_dir=Path("/nowhere"),
            listens=command is None,
        )

    def check(self, release: ReleaseFacts) -> CheckOrder:
        return CheckOrder("shop.example.com", "http", None, 30.0, "auto")


@dataclass
class World:
    """Production of the app shop, and one engine at a time."""

    root: Path
    settings: EnvironmentSettings = field(default_factory=lambda: EnvironmentSettings(deploy=True))
    clock: FakeClock = field(default_factory=FakeClock)
    machine: FakeMachine = field(default_factory=FakeMachine)
    told: list[Placement] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home = AppDirectory(self.root / "apps" / "shop")
        self.home.prepare()
        self.releases = FakeReleases(self.home.releases)
        self.number = 0
        self._make()

    def _make(self) -> None:
        place = self.home.environment("production")
        around = ReconcilerContext(self.machine, self.clock, self.releases, self.told.append, self._retired)
        self.figures = DoorFigures()
        self.life = Reconciler("shop", "production", self.settings, place, around)
        self.book = DeployBook(place.deploys)
        self.queue = AppQueue(self.home.lock, self.clock)
        self.retirer = Retirer(self.life, partial(self.figures.busy, "shop", "production"))
        self.replacer = Replacer(self.life)
        self.sleeper = Sleeper(self.life, self.figures)
        self._ticking = asyncio.ensure_future(self._tick())
        self._tasks: list[asyncio.Task[DeployOutcome]] = []

    async def _tick(self) -> None:
        while True:
            await self.clock.sleep(1.0)
            self.life.write_again()
            self.retirer.look()
            self.replacer.look()
            self.sleeper.look()

    def _retired(self, deploy: str, everything: bool) -> None:
        record = self.book.find(deploy)
        if record is not None and record.state.serves and not record.state.is_final:
            self.book.move(record, DeployState.DONE if everything else DeployState.STOPPING, self.clock.now())

    # The engine's life

    async def kill(self) -> None:
        """SIGKILL: nothing of the engine acts any more."""
        self.machine.dead = True
        self._ticking.cancel()
        for task in self._tasks:
            task.cancel()
        closing = asyncio.ensure_future(self.life.close())
        await settle()
        closing.cancel()
        await settle()

    async def restart(self) -> None:
        """The next engine, as main.py begins one."""
        self.machine.dead = False
        self.told.clear()
        self._make()
        unwanted = self.life.adopt(await self.machine.adopt())
        recovered = recover(self.life, self.book, self.clock, self.releases.remove, unwanted)
        for instance in unwanted:
            if instance.id not in recovered.kept:
                await self.life.end(instance)
        self.life.begin()
        await settle()

    async def close(self) -> None:
        await self.kill()

    # Deploys

    def begin(self, kind: DeployKind = DeployKind.DEPLOY, tag: str = "", count: int | None = None) -> Deployment:
        self.number += 1
        record = DeployRecord(
            f"d{self.number}", kind, "shop", "production", DeployState.QUEUED, tag, begun=self.clock.now()
        )
        deployment = Deployment(record, self.life, self.book, self.queue, self.releases)
        deployment.receive = self._receive
        deployment.count = count
        self.deployments.append(deployment)
        self._tasks.append(asyncio.ensure_future(deployment.run()))
        return deployment

    async def deploy(self, kind: DeployKind = DeployKind.DEPLOY, tag: str = "", count: int | None = None) -> Deployment:
        deployment = self.begin(kind, tag, count)
        await settle()
        return deployment

    async def _receive(self, path: Path) -> None:
        await asyncio.sleep(0)

    # What is seen

    @property
    def placed(self) -> list[str]:
        """`web1@20261130-090100` of what the door was told last."""
        return [f"{one.name}@{one.release}" for one in self.life.placement().instances]

    @property
    def states(self) -> list[PlacementState]:
        return [one.state for one in self.told]

    def record_of(self, deployment: Deployment) -> DeployRecord:
        found = DeployBook(self.home.environment("production").deploys).find(deployment.record.id)
        assert found is not None
        return found

    def instance(self, name: str = "web1") -> FakeInstance:
        slot = self.life.slots[name]
        assert isinstance(slot.instance, FakeInstance)
        return slot.instance

    # The door

    def door_sees(self, idle: float = 0.0, waiting: int = 0, **in_flight: int) -> None:
        figures = {key.lstrip("i"): InstanceFigures(in_flight=count) for key, count in in_flight.items()}
        activity = Activity("shop", "production", idle, waiting, figures)
        self.figures.heard(activity, self.clock.boot())
        self.sleeper.saw(activity)

    def door_follows(self) -> None:
        self.figures.heard(Applied("shop", "production", self.life.record.generation), self.clock.boot())


def with_settings(world: World, **changes: object) -> None:
    world.settings = world.settings.model_copy(update=changes)
    world.life.settings = world.settings


def order_of(world: World, name: str) -> InstanceOrder:
    return next(replace(order) for order in reversed(world.machine.launched) if order.name == name)
