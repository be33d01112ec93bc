"""From samples to verdicts: medians over the rounds, ratios to the peers, and whether each bound holds. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.bounds import ABSOLUTE, ITSELF, Bound, bounds_of
from benchmarks.measure import Sample
from benchmarks.rounds import PLAIN, Outcome
from benchmarks.scenarios import Scenario
from benchmarks.stats import median_of, paired_ratio, spread

LB = "lb"


@dataclass(frozen=True, slots=True)
class Entry:
    """One proxy in one scenario: medians over its rounds; `costs` has each round's, `spread` is how far they
    disagree.
    """

    cost: float
    costs: tuple[float, ...]
    rate: float | None
    p50: float | None
    p99: float | None
    spread: float
    failed: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """A bound and its measurement; `held` is None if there is nothing to compare."""

    bound: Bound
    measured: float | None

    @property
    def held(self) -> bool | None:
        return None if self.measured is None else self.measured <= self.bound.limit


@dataclass(frozen=True, slots=True)
class Row:
    """One scenario, summed up; `ratios` are of lb's cost to that of each label."""

    scenario: Scenario
    entries: dict[str, Entry]
    ratios: Mapping[str, float | None]
    verdicts: tuple[Verdict, ...]
    problems: tuple[str, ...]


def entry_of(samples: Sequence[Sample]) -> Entry:
    """The medians of one proxy's rounds (at least one)."""
    costs = [sample.cost for sample in samples]
    return Entry(
        cost=median_of(costs) or 0.0,
        costs=tuple(costs),
        rate=median_of([sample.rate for sample in samples]),
        p50=median_of([sample.p50 for sample in samples]),
        p99=median_of([sample.p99 for sample in samples]),
        spread=spread(costs),
        failed=sum(sample.failed for sample in samples),
    )


def sum_up(outcome: Outcome) -> Row:
    """The row of an outcome. A proxy with failed requests keeps its figure, but takes part in no bound."""
    entries = {label: entry_of(samples) for label, samples in outcome.samples.items()}
    problems = [f"{label}: {entry.failed} requests failed" for label, entry in entries.items() if entry.failed]
    good = {label: entry for label, entry in entries.items() if not entry.failed}
    mine = good[LB].costs if LB in good else ()
    ratios = {label: paired_ratio(mine, entry.costs) for label, entry in good.items() if label != LB}
    verdicts = tuple(Verdict(bound, _measured(bound, good, ratios)) for bound in bounds_of(outcome.scenario.name))
    return Row(outcome.scenario, entries, ratios, verdicts, (*outcome.problems, *problems))


def _measured(bound: Bound, good: Mapping[str, Entry], ratios: Mapping[str, float | None]) -> float | None:
    if bound.against == ABSOLUTE:
        return good[LB].cost if LB in good else None
    return ratios.get(PLAIN if bound.against == ITSELF else bound.against)
