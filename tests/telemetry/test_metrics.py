"""The table of counters, and that each is counted where it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lb.errors import CAUSES
from lb.telemetry.counters import NAMES
from lb.telemetry.metrics import COUNTER_METRICS, CountedBy, error_cell, response_cell, restart_cell
from lb.telemetry.process_kind import PARTS
from lb.tls.handshake.pending import PendingHandshakes

ROOT = Path(__file__).parent.parent.parent / "lb"


def cells_of(source: CountedBy) -> set[str]:
    return {cell for metric in COUNTER_METRICS if metric.counted_by is source for cell in metric.cells.values()}


def test_names_are_those_of_prometheus_and_stand_once() -> None:
    names = [metric.name for metric in COUNTER_METRICS]
    assert len(set(names)) == len(names)
    for metric in COUNTER_METRICS:
        assert re.fullmatch(r"lb(_[a-z0-9]+)+", metric.name)
        assert metric.name.endswith("_total") is (metric.kind == "counter")
        assert metric.help.endswith(".")
        assert bool(metric.label) is (list(metric.cells) != [""])


def test_every_metric_has_cells_of_its_own() -> None:
    assert len(NAMES) == len(set(NAMES)) == sum(len(metric.cells) for metric in COUNTER_METRICS)


def test_handshakes_count_what_the_table_says() -> None:
    assert {name for name, _ in PendingHandshakes(lambda *_: True).figures()} == cells_of(CountedBy.HANDSHAKES)


def test_the_engine_counts_what_the_table_says() -> None:
    source = (ROOT / CountedBy.ENGINE).read_text()
    written = set(re.findall(r'"(\w+)"', source)) & set(NAMES)
    written |= {response_cell(number) for number in range(1, 6)} | {error_cell(cause) for cause in CAUSES}
    assert written == cells_of(CountedBy.ENGINE)


def test_the_supervisor_counts_what_the_table_says() -> None:
    assert {restart_cell(kind) for kind in PARTS} == cells_of(CountedBy.SUPERVISOR)
    assert "restart_cell(" in (ROOT / CountedBy.SUPERVISOR).read_text()


@pytest.mark.parametrize("source", CountedBy)
def test_who_counts_is_there(source: CountedBy) -> None:
    assert (ROOT / source).is_file()
