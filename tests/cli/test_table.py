"""Rows in columns: as wide as they need to be, and none that is empty throughout."""

from __future__ import annotations

import click

from lb.cli.table import table


def lines(head: list[str], rows: list[list[str]]) -> list[str]:
    return [click.unstyle(line) for line in table(head, rows)]


def test_columns_are_as_wide_as_their_longest_cell() -> None:
    assert lines(["app", "state"], [["shop", "running"], ["a", "asleep"]]) == [
        "app   state",
        "shop  running",
        "a     asleep",
    ]


def test_a_column_without_any_text_is_left_out() -> None:
    assert lines(["app", "note", "state"], [["shop", "", "running"]]) == ["app   state", "shop  running"]
