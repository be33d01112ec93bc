"""Samples become medians, ratios and verdicts; the bounds are those that were promised, and the report shows them."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from benchmarks.bounds import BOUNDS
from benchmarks.chart import Group, draw
from benchmarks.measure import Sample
from benchmarks.report import Facts, render, verdict_text
from benchmarks.rounds import PLAIN, Outcome
from benchmarks.scenarios import BY_NAME, SCENARIOS
from benchmarks.stats import median_of, paired_ratio, short, spread
from benchmarks.summary import Row, sum_up

_FACTS = Facts(date="2026-01-02", rounds=3, seconds=2, machine="2 cores", versions={"nginx": "nginx/1.22"})


def _sample(cost: float, failed: int = 0) -> Sample:
    return Sample(cost=cost, rate=1e6 / cost, p50=100.0, p99=900.0, requests=1000, failed=failed)


def _row(scenario: str, **costs: list[float]) -> Row:
    return sum_up(Outcome(BY_NAME[scenario], {name: [_sample(cost) for cost in each] for name, each in costs.items()}))


def test_medians_leave_out_what_is_missing() -> None:
    assert median_of([3.0, None, 1.0, 2.0]) == 2
    assert median_of([None]) is None


def test_ratio_pairs_the_rounds() -> None:
    # The machine was half as fast in the second round: the medians' ratio would say 1.5.
    assert paired_ratio([10.0, 30.0], [10.0, 30.0]) == 1
    assert paired_ratio([9.0, 18.0, 9.0], [10.0, 20.0, 10.0]) == pytest.approx(0.9)
    assert paired_ratio([], [1.0]) is None
    assert paired_ratio([1.0], [0.0]) is None


def test_spread_is_relative_to_the_median() -> None:
    assert spread([9.0, 10.0, 12.0]) == pytest.approx(0.3)
    assert spread([9.0]) == 0


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (0.514, "0.51"), (12.34, "12.3"), (175.4, "175"), (48_600.0, "48,600")]
)
def test_figures_have_three_digits(value: float | None, text: str) -> None:
    assert short(value) == text


def test_every_bound_belongs_to_a_scenario_and_names_who_is_measured_there() -> None:
    for bound in BOUNDS:
        scenario = BY_NAME[bound.scenario]
        assert bound.against in {*scenario.peers, "absolute"} or (bound.against == "itself" and scenario.against_itself)


def test_bounds_are_those_promised() -> None:
    promised = {(bound.scenario, bound.against): bound.limit for bound in BOUNDS}
    assert promised["small", "nginx"] == 1.0
    assert promised["small", "haproxy"] == 0.9
    assert promised["gzip-100k", "nginx"] == 0.30
    assert promised["idle-tls", "absolute"] == 26
    assert promised["domains-10k", "itself"] == 1.05
    # Every scenario but the one for latency has a bound.
    assert {scenario.name for scenario in SCENARIOS} - {bound.scenario for bound in BOUNDS} == {"p99"}


def test_a_bound_is_held_or_missed_by_the_ratio() -> None:
    row = _row("small", lb=[11.0, 11.5, 12.0], nginx=[12.0, 12.5, 13.0], haproxy=[12.0, 12.5, 13.0])
    assert {verdict.bound.against: verdict.held for verdict in row.verdicts} == {"nginx": True, "haproxy": False}
    assert verdict_text(row.verdicts[1]) == "≤ 0.9 of haproxy: **FAIL** (0.92)"


def test_absolute_and_own_bounds() -> None:
    assert [verdict.held for verdict in _row("idle", lb=[5.9]).verdicts] == [True]
    assert [verdict.held for verdict in _row("idle", lb=[6.1]).verdicts] == [False]
    assert [verdict.held for verdict in _row("domains-10k", lb=[10.6], **{PLAIN: [10.0]}).verdicts] == [False]


def test_a_peer_that_was_not_measured_holds_nothing() -> None:
    row = _row("small", lb=[10.0], nginx=[12.0])
    assert {verdict.bound.against: verdict.held for verdict in row.verdicts} == {"nginx": True, "haproxy": None}
    assert verdict_text(row.verdicts[1]).endswith("not measured")


def test_failed_requests_spoil_the_figure() -> None:
    samples = {"lb": [_sample(1.0, failed=3)], "nginx": [_sample(12.0)]}
    row = sum_up(Outcome(BY_NAME["small"], samples))
    assert [verdict.held for verdict in row.verdicts] == [None, None]
    assert row.problems == ("lb: 3 requests failed",)


def test_report_has_each_proxy_its_ratio_and_the_verdict() -> None:
    row = _row("small", lb=[10.9], nginx=[12.5], haproxy=[17.6], caddy=[180.0])
    text = render([row], _FACTS, "chart.svg")
    line = next(line for line in text.splitlines() if line.startswith("| small response"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[1:9] == ["µs", "10.9", "12.5", "17.6", "180", "0.87", "0.62", "0.06"]
    assert "≤ 1 of nginx: pass (0.87)" in cells[9]
    assert "2 of 2 bounds hold" in text


def test_report_says_when_it_is_no_result() -> None:
    text = render([], replace(_FACTS, caveat="not a result: fallback"), None)
    assert "**not a result: fallback**" in text


def test_chart_is_xml_with_a_bar_for_each_cost() -> None:
    groups = [Group("small & fast", "µs", {"lb": 10.9, "nginx": 12.5, "caddy": 180.0}), Group("nothing", "µs", {})]
    root = ET.fromstring(draw("costs", groups))
    bars = [item for item in root.iter("{http://www.w3.org/2000/svg}rect") if item.get("height") == "10"]
    widths = [float(bar.get("width", "0")) for bar in bars if bar.get("y") != "34"]
    assert widths[0] / widths[1] == pytest.approx(10.9 / 12.5, rel=0.01)
    # Caddy's bar ends where the picture does, and says so with an arrow and its figure.
    assert widths[2] < 1000
    assert any("180" in (text.text or "") for text in root.iter("{http://www.w3.org/2000/svg}text"))
    assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) == 1
