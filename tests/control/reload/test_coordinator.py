"""The dialogue of a reload: a table of what children say, and what becomes of the edition."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lb.config.model import Config
from lb.config.plan import Plan, make_plan
from lb.config.problems import ConfigErrors, Problem
from lb.control.api.systemd import Notifier
from lb.control.reload.coordinator import TIMEOUT, Reload
from lb.control.reload.steps import Read, Reading, ReloadOutcome
from lb.process.background_job import BackgroundJob
from lb.process.channel import Line, Message
from lb.process.child import Child, Role, RolePlace
from lb.process.child_config import ChildConfig
from lb.process.memfd import unwrap
from lb.process.start_error import StartError
from lb.process.verbs import Verb
from lb.telemetry.process_kind import ProcessKind
from lb.tls.files.certificate import TlsError, TlsProblem
from tests.e2e.harness import process


def place_of(text: str) -> RolePlace:
    kind, _, number = text.partition(" ")
    return RolePlace(ProcessKind(kind), int(number or 0))


def role(place: str, *sockets: socket.socket, slot: int | None = None, settings: object = None) -> Role:
    """A worker has a slot and a revision; a child without a slot has only settings. `place` is a kind and a number."""
    revision = None if slot is None else ChildConfig(place, None, 1, (), frozenset(), ())
    return Role(f"{place}/n", lambda _: 0, sockets, slot, place_of(place), revision, settings)


@dataclass
class FakeChange:
    roles: Sequence[Role]
    plan: Plan = field(default_factory=lambda: make_plan(Config()))
    sockets: Sequence[socket.socket] = ()
    unchanged: bool = False
    deaf: bool = False
    told: list[str] = field(default_factory=list)

    def listen(self) -> None:
        if self.deaf:
            raise OSError(98, "in use")

    def put_in_place(self) -> None:
        self.told.append("in place")

    def finish(self) -> None:
        self.told.append("finished")

    def give_up(self) -> None:
        self.told.append("given up")


class Stage:
    """Children that are sockets, a clock that is a number, and changes that are lists of roles."""

    def __init__(self, *roles: Role) -> None:
        self.children = [Child(role) for role in roles]
        self.ends: dict[int, Line] = {}
        self.pids = iter(range(100, 200))
        for child in self.children:
            self.start(child)
        self.now = 1000.0
        self.slow = False
        self.errand: BackgroundJob[Read]
        self.called_off: list[BackgroundJob[Read]] = []
        self.unreadable: Exception | None = None
        self.next: FakeChange | Exception = FakeChange([child.role for child in self.children])
        self.made: list[Collection[int]] = []
        self.gone: list[int] = []
        self.released = 0
        self.outcomes: list[ReloadOutcome] = []
        self.reload = Reload(self, self, Notifier(), lambda: self.now)

    # Plans

    def read(self) -> Reading:
        if self.unreadable is not None:
            raise self.unreadable
        return Reading(make_plan(Config()), {})

    def next_change(self, reading: Reading, busy: Collection[int]) -> FakeChange:
        assert reading == Reading(make_plan(Config()), {})
        self.made.append(sorted(busy))
        if isinstance(self.next, Exception):
            raise self.next
        return self.next

    def read_certificates(self) -> None:
        raise AssertionError("nobody asked")

    def worker_gone(self, slot: int) -> None:
        self.gone.append(slot)

    def release_unused(self) -> None:
        self.released += 1

    # Crew

    def add_role(self, role: Role) -> None:
        self.children.append(Child(role))

    def remove(self, child: Child) -> None:
        child.retiring = True

    def send(self, errand: BackgroundJob[Read]) -> Callable[[], None]:
        self.errand = errand
        if not self.slow:
            self.has_read()
        return lambda: self.called_off.append(errand)

    # The story

    def has_read(self) -> None:
        self.errand.on_result(self.errand.job())

    def start(self, child: Child) -> None:
        ours, theirs = socket.socketpair()
        child.pid, child.line = next(self.pids), Line(ours)
        self.ends[child.pid] = Line(theirs)

    def restart(self, child: Child) -> None:
        self.kill(child)
        self.start(child)
        self.reload.started(child)

    def kill(self, child: Child) -> None:
        self.ends.pop(child.pid).close()
        self.reload.died(child)
        child.vacate()

    def request(self) -> None:
        self.reload.request(self.outcomes.append)

    def says(self, child: Child, verb: Verb, rest: str) -> None:
        self.reload.heard(child, Message(verb, rest))

    def hears(self, child: Child) -> list[str]:
        messages: list[Message] = []
        while more := self.ends[child.pid].receive():
            messages += more
        for message in messages:
            message.drop()
        return [f"{message.verb} {message.rest}" for message in messages]

    @property
    def change(self) -> FakeChange:
        assert isinstance(self.next, FakeChange)
        return self.next

    def close(self) -> None:
        self.reload.end()
        for child in self.children:
            child.vacate()
        for line in self.ends.values():
            line.close()


@pytest.fixture
def open_stage() -> Iterator[Callable[..., Stage]]:
    stages: list[Stage] = []

    def make(*roles: Role) -> Stage:
        stages.append(Stage(*(roles or (role("worker 1", slot=0), role("worker 2", slot=1)))))
        return stages[-1]

    before = process.open_files(os.getpid())
    yield make
    for stage in stages:
        stage.close()
    assert process.open_files(os.getpid()) == before


@pytest.fixture
def stage(open_stage: Callable[..., Stage]) -> Stage:
    return open_stage()


def test_everybody_prepares_then_everybody_switches(stage: Stage) -> None:  # spec: R2
    one, two = stage.children
    new = [role("worker 1", slot=0), role("worker 2", slot=1)]
    stage.change.roles = new
    stage.request()
    assert [stage.hears(child) for child in (one, two)] == [["prepare 1"], ["prepare 1"]]
    stage.says(one, Verb.PREPARED, "1")
    assert stage.hears(one) == []
    assert stage.change.told == []
    stage.says(two, Verb.PREPARED, "1")
    assert stage.change.told == ["in place"]
    assert [child.role for child in (one, two)] == new
    assert [stage.hears(child) for child in (one, two)] == [["switch 1"], ["switch 1"]]
    stage.says(two, Verb.SWITCHED, "1")
    assert stage.outcomes == []
    stage.says(one, Verb.SWITCHED, "1")
    assert stage.change.told == ["in place", "finished"]
    assert stage.outcomes == [ReloadOutcome()]
    assert stage.reload.due is None


def test_what_a_child_gets(open_stage: Callable[..., Stage]) -> None:
    with socket.socket() as old, socket.socket() as new:
        stage = open_stage(role("worker 1", old, slot=0))
        [child] = stage.children
        stage.change.roles = [role("worker 1", old, new, slot=0)]
        stage.change.plan = make_plan(Config(workers=7))
        stage.request()
        [message] = stage.ends[child.pid].receive()
        plan, revision, passed = message.descriptors
        assert unwrap(plan) == make_plan(Config(workers=7))
        assert unwrap(revision) == stage.change.roles[0].revision
        assert os.fstat(passed).st_ino == os.fstat(new.fileno()).st_ino
        message.drop()


def test_a_refusal_abandons_it_everywhere(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:  # spec: R2
    one, two = stage.children
    before = [child.role for child in stage.children]
    stage.request()
    stage.says(one, Verb.PREPARED, "1")
    stage.says(two, Verb.REFUSED, "1 the disk is full")
    assert stage.change.told == ["given up"]
    assert [stage.hears(child)[-1] for child in (one, two)] == ["abandon 1", "abandon 1"]
    assert stage.outcomes == [ReloadOutcome(("worker 2/n: the disk is full",))]
    assert [child.role for child in stage.children] == before
    assert "worker 2/n: the disk is full" in caplog.text


def test_one_that_does_not_answer_abandons_it(stage: Stage) -> None:
    one, _ = stage.children
    stage.request()
    stage.says(one, Verb.PREPARED, "1")
    assert stage.reload.due == stage.now + TIMEOUT
    stage.reload.expire(stage.now + TIMEOUT - 0.1)
    assert stage.outcomes == []
    stage.reload.expire(stage.now + TIMEOUT)
    assert stage.outcomes == [ReloadOutcome(("worker 2/n did not answer within 10 s",))]
    assert stage.change.told == ["given up"]


def test_one_that_does_not_switch_is_not_waited_for_for_ever(stage: Stage) -> None:
    one, two = stage.children
    stage.request()
    stage.now += TIMEOUT / 2
    for child in (one, two):
        stage.says(child, Verb.PREPARED, "1")
    stage.says(one, Verb.SWITCHED, "1")
    stage.reload.expire(stage.now + TIMEOUT - 0.1)
    assert stage.outcomes == []
    stage.reload.expire(stage.now + TIMEOUT)
    assert stage.outcomes == [ReloadOutcome()]
    stage.says(two, Verb.SWITCHED, "1")
    assert stage.change.told == ["in place", "finished"]


def test_everybody_who_does_not_answer_is_named(stage: Stage) -> None:
    stage.request()
    stage.reload.expire(stage.now + TIMEOUT)
    assert stage.outcomes == [ReloadOutcome(("worker 1/n and worker 2/n did not answer within 10 s",))]


def test_who_retires_keeps_what_he_has(open_stage: Callable[..., Stage]) -> None:
    stage = open_stage(role("worker 1", slot=0), role("worker 1", slot=1))
    leaving, staying = stage.children
    leaving.retiring = True
    had = leaving.role
    stage.change.roles = [role("worker 1", slot=1)]
    stage.request()
    stage.says(staying, Verb.PREPARED, "1")
    stage.says(staying, Verb.SWITCHED, "1")
    assert stage.outcomes == [ReloadOutcome()]
    assert (leaving.role, staying.role) == (had, stage.change.roles[0])
    assert (stage.hears(leaving), stage.hears(staying)) == ([], ["prepare 1", "switch 1"])
    assert stage.children == [leaving, staying]


def test_one_that_fails_at_once_behind_one_that_went_well(stage: Stage) -> None:
    stage.request()
    for verb in (Verb.PREPARED, Verb.SWITCHED):
        for child in stage.children:
            stage.says(child, verb, "1")
    stage.unreadable = StartError("no file")
    stage.request()
    assert stage.outcomes == [ReloadOutcome(), ReloadOutcome(("no file",))]


def test_nothing_waits_for_the_file(stage: Stage) -> None:  # spec: R3
    one, two = stage.children
    stage.slow = True
    stage.request()
    assert stage.reload.running
    assert not stage.reload.keeps_busy
    stage.restart(one)
    stage.request()
    assert [stage.hears(child) for child in (one, two)] == [[], []]
    stage.has_read()
    assert stage.reload.keeps_busy
    for verb in (Verb.PREPARED, Verb.SWITCHED):
        for child in (one, two):
            stage.says(child, verb, "1")
    assert stage.outcomes == [ReloadOutcome()]
    assert stage.reload.running  # what was asked for meanwhile: the file may have changed behind the reader's back
    assert len(stage.made) == 1
    stage.has_read()
    assert len(stage.made) == 2


def test_a_file_that_cannot_be_read_in_time(stage: Stage) -> None:
    stage.slow = True
    stage.request()
    stage.errand.on_failure("took longer than 60 s")
    assert stage.outcomes == [
        ReloadOutcome(("reading the configuration and the files it names took longer than 60 s",))
    ]
    assert not stage.reload.running
    assert stage.made == []


def test_the_end_of_the_service_calls_the_reader_off(stage: Stage) -> None:
    stage.slow = True
    stage.request()
    stage.request()
    stage.reload.end()
    assert stage.called_off == [stage.errand]
    assert stage.outcomes == [ReloadOutcome(("the service is being stopped",))] * 2
    assert stage.made == []


NOT_THERE = TlsError([TlsProblem(Path("a.pem"), "not there")])
BAD_FILE = ConfigErrors([Problem("lb.yaml", 3, 1, "no"), Problem("lb.yaml", 1, 2, "nor this")])


@pytest.mark.parametrize(
    ("error", "read", "outcome"),
    [
        (
            BAD_FILE,
            False,
            ReloadOutcome(("lb.yaml:1:2: error: nor this", "lb.yaml:3:1: error: no"), bad_configuration=True),
        ),
        (StartError("no file"), False, ReloadOutcome(("no file",))),
        (StartError("in use"), True, ReloadOutcome(("in use",))),
        (NOT_THERE, False, ReloadOutcome(("a.pem: not there",), bad_configuration=True)),
        (NOT_THERE, True, ReloadOutcome(("a.pem: not there",), bad_configuration=True)),
    ],
)
def test_what_cannot_be_made_reaches_nobody(stage: Stage, error: Exception, read: bool, outcome: ReloadOutcome) -> None:
    if read:
        stage.next = error
    else:
        stage.unreadable = error
    stage.request()
    assert stage.outcomes == [outcome]
    assert [stage.hears(child) for child in stage.children] == [[], []]
    assert not stage.outcomes[0].ok
    stage.unreadable = None
    stage.next = FakeChange([child.role for child in stage.children])
    stage.request()
    assert [stage.hears(child) for child in stage.children] == [["prepare 1"], ["prepare 1"]]


def test_one_that_cannot_listen_in_the_end_abandons_it(stage: Stage) -> None:
    stage.change.deaf = True
    stage.request()
    for child in stage.children:
        stage.says(child, Verb.PREPARED, "1")
    assert stage.change.told == ["given up"]
    assert stage.outcomes == [ReloadOutcome(("cannot listen: in use",))]


@pytest.mark.parametrize("prepared", [False, True])
def test_one_that_dies_while_preparing_is_asked_again(stage: Stage, prepared: bool) -> None:  # spec: R3
    one, two = stage.children
    stage.request()
    stage.hears(one)
    if prepared:
        stage.says(one, Verb.PREPARED, "1")
    stage.restart(one)
    assert stage.hears(one) == ["prepare 1"]
    stage.says(two, Verb.PREPARED, "1")
    assert stage.outcomes == []
    stage.says(one, Verb.PREPARED, "1")
    assert stage.change.told == ["in place"]


def test_a_place_that_is_empty_is_not_waited_for(stage: Stage) -> None:
    one, two = stage.children
    stage.request()
    stage.says(two, Verb.PREPARED, "1")
    stage.kill(one)
    assert stage.change.told == ["in place"]
    stage.says(two, Verb.SWITCHED, "1")
    assert stage.outcomes == [ReloadOutcome()]
    assert one.role is stage.change.roles[0]  # whoever comes next begins with it


def test_one_that_dies_while_switching_is_not_waited_for(stage: Stage) -> None:
    one, two = stage.children
    stage.request()
    for child in (one, two):
        stage.says(child, Verb.PREPARED, "1")
    stage.hears(one)
    stage.restart(one)
    assert stage.hears(one) == []  # it began with what is new
    stage.says(two, Verb.SWITCHED, "1")
    assert stage.outcomes == [ReloadOutcome()]


def test_requests_meanwhile_make_one_more(stage: Stage) -> None:  # spec: R2
    stage.request()
    stage.request()
    stage.request()
    assert len(stage.made) == 1
    for number in ("1", "2"):
        for verb in (Verb.PREPARED, Verb.SWITCHED):
            for child in stage.children:
                stage.says(child, verb, number)
    assert len(stage.made) == 2
    assert stage.outcomes == [ReloadOutcome()] * 3
    assert stage.released == 2


def test_answers_to_something_else_do_not_count(stage: Stage) -> None:
    one, two = stage.children
    stage.request()
    stage.says(two, Verb.PREPARED, "1")
    for verb, rest in (
        (Verb.PREPARED, "2"),
        (Verb.PREPARED, "0"),
        (Verb.SWITCHED, "1"),
        (Verb.REFUSED, "7 no"),
        (Verb.PREPARED, ""),
    ):
        stage.says(one, verb, rest)
    assert stage.change.told == []
    stage.says(one, Verb.PREPARED, "1")
    assert stage.change.told == ["in place"]


def test_fewer_workers(stage: Stage) -> None:
    one, two = stage.children
    stage.change.roles = [role("worker 1", slot=0)]
    stage.request()
    assert stage.made == [[0, 1]]
    assert stage.hears(two) == []  # it will not be there
    stage.says(one, Verb.PREPARED, "1")
    assert not two.retiring  # not before the other one has taken its sockets over
    stage.says(one, Verb.SWITCHED, "1")
    assert two.retiring
    assert stage.released == 0
    stage.request()
    assert stage.made[-1] == [0, 1]  # its slot is still its own
    assert stage.hears(two) == []
    for verb in (Verb.PREPARED, Verb.SWITCHED):
        stage.says(one, verb, "2")
    assert stage.released == 0
    stage.kill(two)
    assert stage.gone == [1]
    assert stage.released == 1


def test_more_workers(stage: Stage) -> None:
    stage.change.roles = [role(f"worker {number + 1}", slot=number) for number in range(4)]
    stage.request()
    assert len(stage.children) == 2
    for child in list(stage.children):
        stage.says(child, Verb.PREPARED, "1")
    assert [child.role.place for child in stage.children] == [RolePlace(ProcessKind.WORKER, n) for n in (1, 2, 3, 4)]


def test_a_child_that_cannot_change_is_replaced_when_it_has_to(open_stage: Callable[..., Stage]) -> None:
    stage = open_stage(role("worker 1", slot=0), role("health", settings=1), role("admin", settings=1))
    worker, helper, other = stage.children
    stage.change.roles = [role("worker 1", slot=0), role("health", settings=2), role("admin", settings=1)]
    stage.request()
    stage.says(worker, Verb.PREPARED, "1")
    stage.says(worker, Verb.SWITCHED, "1")
    assert [child.retiring for child in (worker, helper, other)] == [False, True, False]
    assert [child.role.place for child in stage.children[3:]] == [RolePlace(ProcessKind.HEALTH)]
    assert stage.hears(other) == []


@pytest.mark.parametrize("switching", [False, True])
def test_the_end_of_the_service_ends_it(stage: Stage, switching: bool) -> None:
    stage.request()
    if switching:
        for child in stage.children:
            stage.says(child, Verb.PREPARED, "1")
    stage.request()
    stage.reload.end()
    assert stage.change.told[-1] == ("finished" if switching else "given up")
    assert [outcome.ok for outcome in stage.outcomes] == [switching, False]
    stage.request()
    assert stage.outcomes[-1] == ReloadOutcome(("the service is being stopped",))
    assert len(stage.made) == 1


def test_a_newborn_keeps_nothing_of_it(stage: Stage) -> None:
    with socket.socket() as own, socket.socket() as foreign:
        stage.change.sockets = (own, foreign)
        stage.request()
        parcel = stage.reload._parcel
        stage.reload.forget(role("worker 1", own, slot=0))
        assert own.fileno() >= 0
        assert foreign.fileno() < 0
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(parcel)
        stage.reload._parcel = -1  # the child's copy of all this is never looked at again
