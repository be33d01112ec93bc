"""Pages of deployed instances' figures: read as they were written, or not at all."""

from __future__ import annotations

import struct

from lb.telemetry.deployed_figures import (
    DeployedFigures,
    EnvironmentTotals,
    InstanceTotals,
    environment_key,
)

SHOP, BLOG = environment_key("shop", "production"), environment_key("blog", "staging")


def test_a_page_is_read_as_it_was_written() -> None:
    figures = DeployedFigures(2, 8)
    totals = {
        SHOP: EnvironmentTotals(7, 2, 100, 1.5, {"1a2b3c4d": InstanceTotals(3, 1, 50, 2.25, 4), "b": InstanceTotals()}),
        BLOG: EnvironmentTotals(),
    }
    figures.page(1).store(totals, 4711)
    assert figures.page(1).load() == (4711, totals)
    assert figures.page(0).load() == (0, {})
    assert figures.summary.load() == (0, {})


def test_what_does_not_fit_is_left_out() -> None:
    page = DeployedFigures(1, 3).page(0)
    page.store(
        {
            SHOP: EnvironmentTotals(instances={"a": InstanceTotals()}),
            BLOG: EnvironmentTotals(1, instances={"b": InstanceTotals()}),
        },
        1,
    )
    assert list(page.load()[1]) == [SHOP]


def test_a_page_that_is_half_written_is_not_read() -> None:
    page = DeployedFigures(1, 3).page(0)
    page.store({SHOP: EnvironmentTotals(1)}, 1)
    struct.pack_into("<q", page._cells, 0, 3)
    assert page.load() == (0, {})
    page.store({SHOP: EnvironmentTotals(2)}, 2)
    assert page.load() == (2, {SHOP: EnvironmentTotals(2)})


def test_totals_add_up() -> None:
    assert InstanceTotals(1, 1, 10, 0.5, 1) + InstanceTotals(1, 0, 5, 0.5, 0) == InstanceTotals(2, 1, 15, 1.0, 1)
    assert InstanceTotals(1, 1, 10, 0.5, 1).closed == InstanceTotals(0, 0, 10, 0.5, 1)
    assert InstanceTotals(0, 1).is_busy
    assert not InstanceTotals(0, 0, 5).is_busy
