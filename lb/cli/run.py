"""`lb run`: a command in the sandbox of an app, with its release and variables, beside the instances that serve."""

from __future__ import annotations

import json
from pathlib import Path

import click

from lb.cli.engine_client import Event, ask, connect, environment_of, file_option, json_option, refuse, staging_option
from lb.config.problems import printable


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@staging_option
@file_option
@json_option
@click.argument("app")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
def run(app: str, command: tuple[str, ...], file: Path | None, *, staging: bool, as_json: bool) -> None:
    """Run COMMAND once as APP would: its release, its variables, its limits, as an instance named run.1.

    What it writes is shown and kept in the app's log. It gets no input. Options of lb stand before APP. The exit code
    is the command's; Ctrl-C ends it.
    """
    argv = list(command[1:] if command[0] == "--" else command)
    request = {"command": "run", "app": app, "environment": environment_of(staging=staging), "argv": argv}

    def show(event: Event) -> None:
        if event.get("stream") == "lb":
            return
        if event.get("event") == "output" and not as_json:
            click.echo(printable(event["text"]), err=event["stream"] == "err")
        elif event.get("event") == "output":
            click.echo(json.dumps({"stream": event["stream"], "text": event["text"]}))

    line = connect(file)
    try:
        result = ask(line, request, show)
    except KeyboardInterrupt:
        raise click.exceptions.Exit(130) from None
    finally:
        line.close()
    if as_json:
        click.echo(json.dumps(result))
        raise click.exceptions.Exit(int(result.get("code", 1)))
    if "status" not in result:
        refuse(result)
    elif result["status"]:
        click.echo(f"lb: {result['sentence']}", err=True)
        raise click.exceptions.Exit(int(result["status"]))
