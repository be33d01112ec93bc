"""`lb releases`: the versions of an app."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from lb.cli.engine_client import file_option, json_option, simple
from lb.cli.table import table
from lb.config.problems import printable
from lb.config.units import show_size

_SHOWN = 50  # characters of a message


@click.command()
@click.argument("app")
@file_option
@json_option
def releases(app: str, file: Path | None, *, as_json: bool) -> None:
    """Show the versions of APP: tag, when, who, message, size, Python, and where each serves."""
    show_releases(app, file, as_json=as_json)


def show_releases(app: str, file: Path | None, *, as_json: bool) -> None:
    """The same for `lb rollback --list`."""
    result = simple(file, {"command": "releases", "app": app})
    found: list[dict[str, Any]] = result["releases"]
    if as_json:
        click.echo(json.dumps({"app": app, "releases": found}, indent=2))
        return
    if not found:
        click.echo(f"{printable(app)} has no release yet; `lb deploy {printable(app)}` makes one.")
        return
    rows = [
        (
            one["tag"],
            datetime.fromtimestamp(one["when"]).astimezone().strftime("%Y-%m-%d %H:%M") if one["when"] else "",
            one["who"],
            size_in_words(one["size"]),
            one["python"],
            ", ".join(one["serves"]),
            printable(one["message"])[:_SHOWN],
        )
        for one in found
    ]
    for line in table(("TAG", "WHEN", "WHO", "SIZE", "PYTHON", "SERVES", "MESSAGE"), rows):
        click.echo(line)


def size_in_words(size: int | None) -> str:
    """`46M`, to the next unit."""
    if size is None or size < 0:
        return ""
    for unit in (1 << 30, 1 << 20, 1 << 10):
        if size >= 10 * unit:
            return show_size(size // unit * unit)
    return str(size)
