"""`lb run`: a command in the sandbox of an app, with its release and variables, beside the instances that serve."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread

import click

from lb.apps.service.placements import PROTOCOL
from lb.cli.engine_client import (
    EngineLine,
    Event,
    connect,
    environment_of,
    file_option,
    follow,
    json_option,
    refuse,
    staging_option,
)
from lb.cli.exits import FAILED, fail
from lb.config.problems import printable

_STDIN = 0
_CHUNK = 1 << 16


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@staging_option
@file_option
@json_option
@click.argument("app")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
def run(app: str, command: tuple[str, ...], file: Path | None, *, staging: bool, as_json: bool) -> None:
    """Run COMMAND once as APP would: its release, its variables, its limits, as an instance named run.1.

    What it writes is shown and kept in the app's log. Standard input goes to it, line by line where it is a terminal:
    lb run shop python manage.py loaddata --format=json - < data.json. Options of lb stand before APP. The exit code is
    the command's; Ctrl-C ends it.
    """
    argv = list(command[1:] if command[0] == "--" else command)
    request = {
        "protocol": PROTOCOL,
        "command": "run",
        "app": app,
        "environment": environment_of(staging=staging),
        "argv": argv,
        "stdin": True,
    }

    def show(event: Event) -> None:
        if event.get("stream") == "lb":
            return
        if event.get("event") == "output" and not as_json:
            click.echo(printable(event["text"]), err=event["stream"] == "err")
        elif event.get("event") == "output":
            click.echo(json.dumps({"stream": event["stream"], "text": event["text"]}))

    result = _carry_out(connect(file), request, show)
    if as_json:
        click.echo(json.dumps(result))
        raise click.exceptions.Exit(int(result.get("code", 1)))
    if "status" not in result:
        refuse(result)
    elif result["status"]:
        click.echo(f"lb: {result['sentence']}", err=True)
        raise click.exceptions.Exit(int(result["status"]))


def _send_input(line: EngineLine) -> None:
    """Standard input as it comes, to its end. It may never come: the thread ends with the command."""
    with suppress(OSError):  # nobody reads any more, or there is none
        while piece := os.read(_STDIN, _CHUNK):
            line.write(b'{"chunk": %d}\n' % len(piece) + piece)
        line.write(b'{"chunk": 0}\n')


def _carry_out(line: EngineLine, request: Event, show: Callable[[Event], None]) -> Event:
    try:
        line.send(request)
        Thread(target=_send_input, args=(line,), daemon=True).start()
        return follow(line, show)
    except OSError as error:
        fail(f"the engine cannot be asked: {error.strerror}", FAILED)
    except ValueError:
        fail("the engine's answer is not in its protocol: is it another version?", FAILED)
    except KeyboardInterrupt:
        raise click.exceptions.Exit(130) from None
    finally:
        line.close()
