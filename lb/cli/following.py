"""Following a deploy at the terminal: progress while it works; Ctrl-C asks whether to detach or to cancel."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import click

from lb.apps.service.placements import PROTOCOL
from lb.cli.engine_client import EngineLine, Event, connect, finish, follow, show_event
from lb.cli.exits import FAILED, fail


def carry_out(
    file: Path | None,
    request: Mapping[str, Any],
    *,
    as_json: bool,
    to: str | None = None,
    source: IO[bytes] | None = None,
    detach: bool = False,
) -> None:
    """Asks for a change, shows how it goes, and ends the command as it ended. `detach`: once the source is sent."""
    line = connect(file, to)
    show: Callable[[Event], None] = (lambda _: None) if as_json else show_event

    def on_event(event: Event) -> None:
        if event.get("event") == "send" and source is not None:
            line.send_source(source)
            if detach:
                raise _Detached
        show(event)

    try:
        line.send({"protocol": PROTOCOL, **request})
        result = _follow(line, on_event, as_json=as_json)
    except _Detached:
        result = {
            "ok": True,
            "code": 0,
            "sentence": "the source is handed over; the deploy goes on (lb attach follows it)",
        }
    except OSError as error:
        fail(f"the engine cannot be asked: {error.strerror}", FAILED)
    except ValueError:
        fail("the engine's answer is not in its protocol: is it another version?", FAILED)
    line.close()
    finish(result, as_json=as_json)


class _Detached(Exception):  # noqa: N818  nothing went wrong
    """Nobody listens any more."""


def _follow(line: EngineLine, on_event: Callable[[Event], None], *, as_json: bool) -> Event:
    while True:
        try:
            return follow(line, on_event)
        except KeyboardInterrupt:
            if as_json or not _wants_to_cancel():
                click.echo("Detached: the deploy goes on. lb attach follows it, lb cancel ends it.", err=True)
                raise click.exceptions.Exit(0) from None
            line.send({"command": "cancel"})


def _wants_to_cancel() -> bool:
    """Asks, where somebody can answer; a second Ctrl-C detaches."""
    if not sys.stdin.isatty():
        return False
    click.echo("", err=True)
    try:
        answer = click.prompt(
            "Detach (the deploy goes on) or cancel it?",
            type=click.Choice(["detach", "cancel"]),
            default="detach",
            err=True,
        )
    except click.Abort:
        return False
    return bool(answer == "cancel")
