"""`lb status FILE`: what the running service of a configuration file does."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from lb.cli.asking import ask, file_argument, the_file
from lb.cli.exits import FAILED, fail
from lb.cli.fallbacks import warnings
from lb.control.api.command import Command
from lb.process.remaining import Share, in_words, total
from lb.process.wording import duration

_TIMEOUT = 10.0  # seconds
_RECENT = 3600.0  # seconds for which a past failure is worth a line
_LAST_RESORT = "; it gets requests nevertheless, because no instance passes"


@click.command()
@file_argument
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
def status(file: Path | None, *, as_json: bool) -> None:
    """Show what the service of FILE does: workers, listeners, apps.

    FILE may be left out if only one service runs. Exit code 1 if FILE has no running service, 2 if several services run
    and none is named.
    """
    file = the_file(file, "status")
    answer = ask(file, Command.STATUS, _TIMEOUT)
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
    if "drain_seconds_left" in answer:
        left = duration(answer["drain_seconds_left"])
        yield f"{state}, for {left} at most (process {answer['supervisor']}, {build})"
        yield f"waiting for {in_words(total(_open(answer['workers']))) or 'its processes to end'}"
    else:
        yield f"{state} for {duration(answer['uptime'])} (process {answer['supervisor']}, {build})"
    for text in warnings(answer):
        yield click.style(f"warning: {text}", fg="yellow")
    for url in answer["listeners"]:
        yield f"listening on {url}"
    yield "workers"
    for worker in answer["workers"]:
        yield f"  {worker['slot'] + 1}  {_worker(worker, now, ends='drain_seconds_left' in answer)}"
    for name, app in answer["apps"].items():
        yield f"app {click.style(name, bold=True)}: {', '.join(app['domains'])}"
        for kind in ("production", "staging"):
            if app[kind] is not None:
                yield f"  {kind:<10}  {app[kind]['balance']}: {', '.join(app[kind]['instances'])}"
                yield from _ailing(app[kind].get("health", {}), now)
                yield from _failing(app[kind].get("traffic", {}), now)


def _failing(traffic: dict[str, Any], now: float) -> Iterator[str]:
    """A line for each instance whose requests fail, or did within the last hour."""
    for text, one in traffic.items():
        if one["cause"] is None:
            continue
        ago = duration(max(0, now - one["failed"]))
        if one["failing"]:
            state = click.style("failing", fg="red")
            some = "" if one["failing"] == 1 else f" in {one['failing']:.0%} of the workers"
            yield f"    {text} is {state}{some}: {one['cause']}, {ago} ago"
        elif now - one["failed"] < _RECENT:
            yield f"    {text} works; its last failure: {one['cause']}, {ago} ago"


def _ailing(health: dict[str, Any], now: float) -> Iterator[str]:
    """A line for each instance that gets no requests because of its checks or its name."""
    states = [one["state"] for addresses in health.values() for one in addresses]
    none_passes = not any(state in ("unchecked", "expected", "healthy") for state in states)
    for text, addresses in health.items():
        for one in addresses:
            if one["state"] == "absent":
                yield f"    {text} has no address: {one['error']}"
            elif one["state"] in ("starting", "unhealthy"):
                where = f"{text} ({one['address']})" if one["address"] else text
                state = click.style(one["state"], fg="red")
                asked = f"{duration(now - one['since'])}: {one['error'] or 'not checked yet'}"
                yield f"    {where} is {state} for {asked}{_LAST_RESORT if none_passes and one['answers'] else ''}"


def _worker(worker: dict[str, Any], now: float, *, ends: bool) -> str:
    """`ends`: the whole service ends."""
    times = worker["restarts"]
    restarts = f", replaced {times} time{'s' if times > 1 else ''}" if times else ""
    if not worker["pid"]:
        return "has ended" if ends else f"waits for its next start{restarts}"
    if ends or worker.get("retiring"):
        doing = f"{'drains' if ends else 'retires'}, still open: {in_words(_open([worker])) or 'nothing'}"
    else:
        doing = "serves" if worker["ready"] else "starts"
    return f"process {worker['pid']} {doing}, {duration(now - worker['since'])}{restarts}"


def _open(workers: list[dict[str, Any]]) -> list[Share]:
    """What ending workers still have open, as far as it is known."""
    return [Share(**share) for worker in workers for share in worker.get("open", ())]
