"""The run as Markdown: costs and ratios with each bound's verdict, throughput and latency, versions and machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.bounds import ABSOLUTE, ITSELF
from benchmarks.rounds import PLAIN
from benchmarks.stats import NONE, short
from benchmarks.summary import Row, Verdict

_HOW = """CPU time of the whole process tree, user and system, per request; memory per connection where the unit is KiB.
Median of {rounds} alternating rounds of {seconds:g} s; a ratio is the median of the rounds' ratios."""
_COLUMNS = ("lb", "nginx", "haproxy", "caddy")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a reader needs to judge the figures: date, duration, machine, versions; `caveat` is empty for a result."""

    date: str
    rounds: int
    seconds: float
    machine: str
    versions: Mapping[str, str]
    caveat: str = ""


def render(rows: Sequence[Row], facts: Facts, chart: str | None) -> str:
    """The whole report. `chart` is the SVG file's name, when there is one."""
    verdicts = [verdict for row in rows for verdict in row.verdicts]
    held = sum(verdict.held is True for verdict in verdicts)
    known = sum(verdict.held is not None for verdict in verdicts)
    parts = [
        f"# Benchmark of {facts.date}",
        f"**{facts.caveat}**" if facts.caveat else "",
        f"{held} of {known} bounds hold." if known else "",
        _HOW.format(rounds=facts.rounds, seconds=facts.seconds),
        _table(("scenario", "unit", *_COLUMNS, "to nginx", "to haproxy", "to caddy", "bounds"), map(_cost_cells, rows)),
        f"![costs beside nginx's]({chart})" if chart else "",
        "## Throughput and latency",
        _table(
            ("scenario", "proxy", "requests/s", "p50 µs", "p99 µs", "rounds disagree by"),
            (cells for row in rows for cells in _speed_cells(row)),
        ),
        _problems(rows),
        "## Measured on",
        "\n".join((f"- {facts.machine}", *(f"- {name}: {text}" for name, text in facts.versions.items()))),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def verdict_text(verdict: Verdict) -> str:
    """One bound in words: what it is against, the limit, and whether it holds."""
    bound = verdict.bound
    limit = f"≤ {bound.limit:g}"
    if bound.against == ABSOLUTE:
        limit = f"{limit} KiB"
    else:
        limit = f"{limit} of {'its own cost' if bound.against == ITSELF else bound.against}"
    if verdict.held is None:
        return f"{limit}: not measured"
    return f"{limit}: {'pass' if verdict.held else '**FAIL**'} ({verdict.measured:.2f})"


def _cost_cells(row: Row) -> tuple[str, ...]:
    costs = {label: entry.cost for label, entry in row.entries.items()}
    mine = costs.get("lb")
    ratios = [short(row.ratios.get(peer)) for peer in _COLUMNS[1:]]
    first = short(mine) if PLAIN not in costs else f"{short(mine)} (plain: {short(costs[PLAIN])})"
    return (
        row.scenario.title,
        row.scenario.unit,
        first,
        *(short(costs.get(peer)) for peer in _COLUMNS[1:]),
        *ratios,
        "; ".join(map(verdict_text, row.verdicts)) or NONE,
    )


def _speed_cells(row: Row) -> Iterable[tuple[str, ...]]:
    for label, entry in row.entries.items():
        yield (
            row.scenario.title,
            f"lb, {PLAIN}" if label == PLAIN else label,
            short(entry.rate),
            short(entry.p50),
            short(entry.p99),
            f"{entry.spread:.0%}" if len(entry.costs) > 1 else NONE,
        )


def _problems(rows: Sequence[Row]) -> str:
    lines = [f"- {row.scenario.title}: {' '.join(text.split())}" for row in rows for text in row.problems]
    return "\n".join(("## What went wrong", "", *lines)) if lines else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose columns line up in plain text too."""
    cells = [tuple(head), *(tuple(cell.replace("|", "\\|") for cell in row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    return "\n".join((lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]))
