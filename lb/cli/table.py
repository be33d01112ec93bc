"""Rows of text in columns that are as wide as they need to be. Nothing here knows what is in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The lines: the head in bold, then each row; columns that are empty throughout are left out."""
    kept = [at for at in range(len(head)) if any(row[at] for row in rows)]
    widths = [max(len(head[at]), *(len(row[at]) for row in rows)) for at in kept]

    def line(cells: Sequence[str]) -> str:
        return "  ".join(cells[at].ljust(width) for at, width in zip(kept, widths, strict=True)).rstrip()

    yield click.style(line(head), bold=True)
    for row in rows:
        yield line(row)
