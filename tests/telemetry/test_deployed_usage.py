"""The page of what instances use: read as it was written, or not at all."""

from __future__ import annotations

import struct

from lb.telemetry.deployed_figures import DeployedFigures
from lb.telemetry.deployed_usage import InstanceUsage


def test_it_is_read_as_it_was_written_and_replaced_as_a_whole() -> None:
    figures = DeployedFigures(2, 4)
    assert figures.usage.load() == {}
    used = {"1a2b3c4d": InstanceUsage(5 << 30, 1.25, -1, 7, 3, "killed for memory (512 MB)"), "b": InstanceUsage()}
    figures.usage.store(used)
    assert figures.usage.load() == used
    assert figures.summary.load() == (0, {}), "the pages do not overlap"
    figures.usage.store({})
    assert figures.usage.load() == {}


def test_what_does_not_fit_is_left_out_and_a_letter_is_not_halved() -> None:
    page = DeployedFigures(1, 1).usage
    page.store({"a": InstanceUsage(last_cause="é" * 100), "b": InstanceUsage()})
    assert page.load() == {"a": InstanceUsage(last_cause="é" * 80)}
    page.store({"a": InstanceUsage(last_cause="x" + "é" * 100)})
    assert page.load() == {"a": InstanceUsage(last_cause="x" + "é" * 79)}


def test_a_page_that_is_half_written_is_not_read() -> None:
    page = DeployedFigures(1, 2).usage
    page.store({"a": InstanceUsage(1)})
    struct.pack_into("<q", page._cells, 0, 3)
    assert page.load() == {}
    page.store({"a": InstanceUsage(2)})
    assert page.load() == {"a": InstanceUsage(2)}
