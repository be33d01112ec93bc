"""The statistics of the report. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

NONE = "-"


def median_of(values: Sequence[float | None]) -> float | None:
    """The median of the values that are not None; None if there are none."""
    present = [value for value in values if value is not None]
    return median(present) if present else None


def paired_ratio(mine: Sequence[float], theirs: Sequence[float]) -> float | None:
    """The median of mine / theirs, round by round; None when no round has both.

    A shared machine's speed drifts by tens of percent within a run. The two halves of one round see the same machine,
    so their ratio is steadier than the ratio of two medians.
    """
    return median_of([a / b for a, b in zip(mine, theirs, strict=False) if b > 0])


def spread(values: Sequence[float]) -> float:
    """(largest - smallest) / median: how far the rounds disagree; 0 for fewer than two."""
    middle = median(values) if len(values) > 1 else 0.0
    return (max(values) - min(values)) / middle if middle else 0.0


def short(value: float | None) -> str:
    """A figure for a table: three significant digits and no exponent; NONE when there is none."""
    if value is None:
        return NONE
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
