"""`lb status FILE`: what the running service of a configuration file is doing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from lb.cli.asking import ask, file_argument
from lb.cli.exits import FAILED, fail
from lb.cli.fallbacks import warnings
from lb.control.words import duration

_PATIENCE = 10.0  # seconds


@click.command()
@file_argument
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
def status(file: Path, *, as_json: bool) -> None:
    """Say what the service that serves FILE is doing: workers, listeners, apps.

    Exit code 1 when nothing serves FILE.
    """
    answer = ask(file, "status", _PATIENCE)
    if not answer.pop("ok"):
        fail(answer["error"], FAILED)
    if as_json:
        click.echo(json.dumps(answer, indent=2))
    else:
        for line in describe(answer, time.time()):
            click.echo(line)


def describe(answer: dict[str, Any], now: float) -> Iterator[str]:
    """The lines for people; `now` is in seconds since the epoch."""
    build = f"lb {answer['version']}, {answer['engine']} engine"
    state = click.style(answer["state"], bold=True)
    yield f"{state} for {duration(answer['uptime'])} (process {answer['supervisor']}, {build})"
    for text in warnings(answer):
        yield click.style(f"warning: {text}", fg="yellow")
    for url in answer["listeners"]:
        yield f"listening on {url}"
    yield "workers"
    for worker in answer["workers"]:
        yield f"  {worker['slot'] + 1}  {_worker(worker, now)}"
    for name, app in answer["apps"].items():
        yield f"app {click.style(name, bold=True)}: {', '.join(app['domains'])}"
        for kind in ("production", "staging"):
            if app[kind] is not None:
                yield f"  {kind:<10}  {app[kind]['balance']}: {', '.join(app[kind]['instances'])}"
                yield from _ailing(app[kind].get("health", {}), now)


def _ailing(health: dict[str, Any], now: float) -> Iterator[str]:
    """A line for each instance that gets no requests because of what is known about it."""
    for text, addresses in health.items():
        for one in addresses:
            if one["state"] == "absent":
                yield f"    {text} has no address: {one['error']}"
            elif one["state"] in ("starting", "unhealthy"):
                where = f"{text} ({one['address']})" if one["address"] else text
                state = click.style(one["state"], fg="red")
                yield f"    {where} is {state} for {duration(now - one['since'])}: {one['error'] or 'not asked yet'}"


def _worker(worker: dict[str, Any], now: float) -> str:
    times = worker["restarts"]
    restarts = f", replaced {times} time{'s' if times > 1 else ''}" if times else ""
    if not worker["pid"]:
        return f"waits for its next start{restarts}"
    doing = "serves" if worker["ready"] else "starts"
    return f"process {worker['pid']} {doing}, {duration(now - worker['since'])}{restarts}"
