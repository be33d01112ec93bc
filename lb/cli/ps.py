"""`lb ps`: what runs of the deployed apps, with figures, restarts and causes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from lb.cli.engine_client import file_option, json_option, simple
from lb.cli.releases import size_in_words
from lb.cli.table import table
from lb.config.problems import printable
from lb.process.wording import duration

_COLUMNS = ("INSTANCE", "RELEASE", "STATE", "UP", "CPU", "MEMORY", "FILES", "REQUESTS", "RESPONSE", "RESTARTS")


@click.command()
@click.argument("app", required=False)
@file_option
@json_option
def ps(app: str | None, file: Path | None, *, as_json: bool) -> None:
    """Show the instances of APP, or of all apps: state, figures, restarts, and why the last one ended."""
    result = simple(file, {"command": "ps", "app": app or ""})
    if as_json:
        click.echo(json.dumps({"environments": result["environments"], "broken": result["broken"]}, indent=2))
        return
    for line in describe(result, time.time()):
        click.echo(line)


def describe(result: dict[str, Any], now: float) -> Iterator[str]:
    """The lines for people; `now` is in seconds since the epoch."""
    if not result["environments"] and not result["broken"]:
        yield "No app is deployed by this engine."
    for number, one in enumerate(result["environments"]):
        if number:
            yield ""
        yield from _environment(one, now)
    for what, reason in result["broken"].items():
        yield f"{what} is left as it is: {reason}"


def _environment(one: dict[str, Any], now: float) -> Iterator[str]:
    title = click.style(f"{one['app']} {one['environment']}", bold=True)
    release = f", release {one['release']}" if one["release"] else ""
    yield f"{title}: {one['state']}{release}"
    if one["state"] == "never":
        flag = "--prod" if one["environment"] == "production" else "--staging"
        yield f"  Nothing was deployed: lb deploy {one['app']} {flag}"
    if one["cause"]:
        yield f"  {printable(one['cause'])}"
    rows = [_row(instance, now) for instance in one["instances"]]
    if rows:
        yield from (f"  {line}" for line in table(_COLUMNS, rows))
    for instance in one["instances"]:
        if instance["last_cause"]:
            yield f"  {instance['name']}: {printable(instance['last_cause'])}"
        if instance["note"]:
            yield f"  {instance['name']}: {printable(instance['note'])}"
    if one["retiring"]:
        named = ", ".join(f"{each['name']} ({each['release']})" for each in one["retiring"])
        yield f"  draining: {named}"
    for deploy in one["deploys"]:
        who = f" of {deploy['who']}" if deploy["who"] else ""
        yield f"  {deploy['kind']}{who} under way: {deploy['state']}"


def _row(instance: dict[str, Any], now: float) -> tuple[str, ...]:
    usage, figures = instance["usage"] or {}, instance["figures"] or {}
    requests = figures.get("requests") or 0
    share = usage.get("cpu_share")
    return (
        instance["name"],
        instance["release"],
        instance["state"],
        duration(max(0.0, now - instance["started"])) if instance["started"] else "",
        f"{share * 100:.0f} %" if share is not None else "",
        size_in_words(usage.get("memory")),
        size_in_words(usage.get("files")),
        str(requests) if requests else "",
        f"{figures['seconds'] / requests * 1000:.0f} ms" if requests else "",
        str(instance["restarts"]) if instance["restarts"] else "",
    )
