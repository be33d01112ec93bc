"""`lb logs`: what an app's instances have written, and what its builds have."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click

from lb.cli.engine_client import Event, ask, connect, file_option, json_option, refuse
from lb.config.problems import printable


@click.command()
@click.argument("app")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("-n", "--lines", type=click.IntRange(0, 100_000), default=30, show_default=True, help="So many lines.")
@click.option("--env", "environment", type=click.Choice(["production", "staging"]), help="Of one environment only.")
@click.option("--instance", metavar="NAME", default="", help="Of one instance, such as web1.")
@click.option("--stderr", is_flag=True, help="Standard error only.")
@click.option("--from", "since", metavar="TIME", default="", help="From a day (2026-11-30) or RFC 3339 time on.")
@click.option("--to", "until", metavar="TIME", default="", help="Up to the end of a day, or up to a time.")
@click.option("--build", "build", metavar="TAG", default="", help="The log of a version's build.")
@file_option
@json_option
def logs(  # noqa: PLR0913, PLR0917  what click hands over
    app: str,
    lines: int,
    environment: str | None,
    instance: str,
    since: str,
    until: str,
    build: str,
    file: Path | None,
    *,
    follow: bool,
    stderr: bool,
    as_json: bool,
) -> None:
    """Show the last lines that APP's instances have written to standard output and error."""
    request = {
        "command": "logs",
        "app": app,
        "lines": lines,
        "environment": environment or "",
        "instance": instance,
        "stderr": stderr,
        "from": since,
        "to": until,
        "build": build,
        "follow": follow,
    }

    def show(event: Event) -> None:
        if event.get("event") != "log":
            return
        if as_json:
            click.echo(json.dumps({key: value for key, value in event.items() if key != "event"}, ensure_ascii=False))
        else:
            click.echo(_line(event, with_environment=environment is None))

    line = connect(file)
    try:
        result = ask(line, request, show)
    except KeyboardInterrupt:
        return
    finally:
        line.close()
    refuse(result)
    if "log" in result:
        click.echo(json.dumps({"log": result["log"]}) if as_json else result["log"], nl=as_json)


def _line(event: Event, *, with_environment: bool) -> str:
    when = datetime.fromisoformat(event["time"]).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    source = f"{event['environment']} {event['instance']}" if with_environment else event["instance"]
    mark = "" if event["stream"] == "out" else f" {event['stream']}"
    return f"{when} {source}{mark}: {printable(event['text'])}"
