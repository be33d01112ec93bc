"""The order of a run: for each scenario every entrant is started, and they take turns, round after round.

Taking turns (lb, nginx, haproxy, caddy, lb, …) spreads the machine's other load evenly over all of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.certificate import HOST, Certificate
from benchmarks.files import PREFIX, make_files
from benchmarks.load import Load, spread_domain
from benchmarks.measure import Effort, Sample, measure, warm_up
from benchmarks.peers.base import Peer, PeerError, Setup, Target
from benchmarks.peers.lb import Lb
from benchmarks.scenarios import Kind, Scenario
from lb.cli.bench_figures import FiguresError

PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Entrant:
    """A participant in a scenario: a peer, under a label (its name; PLAIN for lb without the compared feature), with
    its variant of the scenario.
    """

    label: str
    peer: Peer
    scenario: Scenario


@dataclass(slots=True)
class Outcome:
    """What a scenario gave: samples by label, and what went wrong, in sentences."""

    scenario: Scenario
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Ground:
    """Shared by all scenarios of a run. `instances` are the responder's ports, enough for the largest scenario."""

    load: Load
    certificate: Certificate
    instances: tuple[int, ...]
    directory: Path

    def setup(self, scenario: Scenario) -> Setup:
        """The job of a peer for `scenario`."""
        names = (HOST, *map(spread_domain, range(scenario.domains)))
        files = make_files(self.directory) if scenario.path.startswith(PREFIX) else None
        return Setup(self.certificate, self.instances[: scenario.instances], names, scenario.routes, files)


def entrants_of(scenario: Scenario, peers: Sequence[Peer]) -> tuple[Entrant, ...]:
    """The entrants of `scenario`, in the order of their turns."""
    chosen = [Entrant(peer.name, peer, scenario) for peer in peers if peer.name in scenario.peers]
    if scenario.against_itself:
        plain = replace(scenario, domains=1, instances=2, routes=0)
        chosen += [Entrant(PLAIN, entrant.peer, plain) for entrant in chosen]
    return tuple(chosen)


def run_scenario(scenario: Scenario, peers: Sequence[Peer], ground: Ground, rounds: int, effort: Effort) -> Outcome:
    """All rounds of one scenario. A failure is recorded in the outcome; the other entrants continue."""
    outcome = Outcome(scenario)
    with ExitStack() as stack:
        running: dict[str, Target] = {}
        entrants = list(entrants_of(scenario, peers))
        for number in range(rounds):
            for entrant in tuple(entrants):
                try:
                    sample = _take_turn(entrant, ground, effort, running, stack, number)
                except (PeerError, FiguresError) as error:
                    outcome.problems.append(f"{entrant.label}: {error}")
                    print(f"{scenario.name}: {entrant.label}: {error}", file=sys.stderr, flush=True)
                    entrants.remove(entrant)
                    continue
                outcome.samples.setdefault(entrant.label, []).append(sample)
                _tell(scenario, entrant, number, rounds, sample)
    return outcome


def _take_turn(
    entrant: Entrant, ground: Ground, effort: Effort, running: dict[str, Target], stack: ExitStack, number: int
) -> Sample:
    if entrant.scenario.kind is Kind.IDLE:
        # Memory that an allocator keeps from the last round would hide this round's, so each round has a fresh process.
        with _started(entrant, ground, number) as target:
            return measure(entrant.scenario, ground.load, target, effort)
    if entrant.label not in running:
        running[entrant.label] = stack.enter_context(_started(entrant, ground, number))
    return measure(entrant.scenario, ground.load, running[entrant.label], effort)


@contextmanager
def _started(entrant: Entrant, ground: Ground, number: int) -> Iterator[Target]:
    directory = ground.directory / f"{entrant.scenario.name}-{entrant.label}-{number}"
    peer = entrant.peer
    if entrant.scenario.fallback and isinstance(peer, Lb):
        peer = peer.uncompiled(directory / "uncompiled")
    with peer.running(ground.setup(entrant.scenario), directory) as target:
        warm_up(ground.load, target)
        yield target


def _tell(scenario: Scenario, entrant: Entrant, number: int, rounds: int, sample: Sample) -> None:
    rate = f", {sample.rate:,.0f} a second" if sample.rate else ""
    failed = f", {sample.failed} FAILED" if sample.failed else ""
    print(
        f"{scenario.name}: round {number + 1} of {rounds}, "
        f"{entrant.label}: {sample.cost:,.2f} {scenario.unit}{rate}{failed}",
        file=sys.stderr,
        flush=True,
    )
