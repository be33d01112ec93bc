"""What `lb status` says of an environment whose instances the engine runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from lb.cli.releases import size_in_words
from lb.config.problems import printable
from lb.process.wording import duration

_WORDS = {
    "unknown": "the engine has not been heard yet",
    "away": "no engine runs; lb engine start starts it",
    "asleep": "asleep; the next request wakes it",
    "waking": "starts; requests wait",
    "failed": "did not wake up",
}


def deployed_lines(app: str, kind: str, deployed: dict[str, Any], now: float) -> Iterator[str]:
    """`kind` is production or staging; `now` is in seconds since the epoch."""
    state, release = deployed["state"], deployed["release"]
    if state in ("never", "gone"):
        words = f"nothing is deployed; lb deploy {app} --{'staging' if kind == 'staging' else 'prod'} does that"
    elif state == "stopped":
        words = f"stopped; lb start {app}{' --staging' if kind == 'staging' else ''} starts it"
    elif state == "running":
        words = f"release {release}" if deployed["instances"] else f"release {release} has no instance that runs"
    else:
        words = f"{_WORDS.get(state, state)}{f' (release {release})' if release else ''}"
    waiting = f", {deployed['waiting']} requests wait" if deployed["waiting"] else ""
    yield f"  {kind:<10}  {words}{waiting}"
    if deployed["cause"]:
        yield f"    {click.style(deployed['cause'], fg='red')}"
    for one in deployed["instances"]:
        yield f"    {_instance(one, release, now)}"


def _instance(one: dict[str, Any], release: str | None, now: float) -> str:
    state = one["state"]
    if state in ("starting", "unhealthy"):
        state = f"{click.style(state, fg='red')}: {one['error'] or 'not asked yet'}"
    since = f", {duration(max(0, now - one['since']))}" if one["since"] else ""
    other = f", release {one['release']}" if one["release"] != release else ""
    answered = f", {1000 * one['seconds'] / one['requests']:.0f} ms each" if one["requests"] else ""
    tunnels = f", {one['tunnels']} tunnels" if one["tunnels"] else ""
    figures = f"{one['requests']} requests{answered}, {one['in_flight']} in flight{tunnels}"
    return f"{one['name']}  {state}{since}{other}: {figures}{_usage(one.get('usage') or {})}"


def _usage(used: dict[str, Any]) -> str:
    """What the engine has said of it."""
    if not used:
        return ""
    restarts = used["restarts"]
    why = f" ({printable(used['last_cause'])})" if used["last_cause"] else ""
    times = f", restarted {restarts} time{'s' if restarts > 1 else ''}{why}" if restarts else ""
    return f", {size_in_words(used['memory'])}{times}"
