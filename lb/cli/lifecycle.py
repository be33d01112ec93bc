"""`lb publish`, `rollback`, `restart`, `start`, `stop`, `scale`, `cancel`, `attach`: changes without a build."""

from __future__ import annotations

from pathlib import Path

import click

from lb.cli.engine_client import environment_of, file_option, finish, json_option, simple, staging_option
from lb.cli.following import carry_out
from lb.cli.releases import show_releases

_app = click.argument("app")


@click.command()
@_app
@click.option("-m", "--message", default="", help="Why; kept with the deploy.")
@file_option
@json_option
def publish(app: str, message: str, file: Path | None, *, as_json: bool) -> None:
    """Bring the version that staging of APP serves to production: the same bytes, dependencies included."""
    carry_out(file, {"command": "publish", "app": app, "message": message}, as_json=as_json)


@click.command()
@_app
@click.argument("tag", required=False)
@click.option("--list", "list_them", is_flag=True, help="Show the versions there are, and change nothing.")
@staging_option
@file_option
@json_option
def rollback(app: str, tag: str | None, file: Path | None, *, list_them: bool, staging: bool, as_json: bool) -> None:
    """Have APP serve an earlier version again: TAG, or the one that served before.

    Its release command does not run: the database's schema stays as it is.
    """
    if list_them:
        show_releases(app, file, as_json=as_json)
        return
    request = {"command": "rollback", "app": app, "tag": tag or "", "environment": environment_of(staging=staging)}
    carry_out(file, request, as_json=as_json)


@click.command()
@_app
@staging_option
@file_option
@json_option
def restart(app: str, file: Path | None, *, staging: bool, as_json: bool) -> None:
    """Start APP's instances anew, with changed variables too; old ones end once new ones are healthy."""
    request = {"command": "restart", "app": app, "environment": environment_of(staging=staging)}
    carry_out(file, request, as_json=as_json)


@click.command()
@_app
@staging_option
@file_option
@json_option
def start(app: str, file: Path | None, *, staging: bool, as_json: bool) -> None:
    """Start APP after `lb stop`."""
    request = {"command": "start", "app": app, "environment": environment_of(staging=staging)}
    carry_out(file, request, as_json=as_json)


@click.command()
@_app
@staging_option
@file_option
@json_option
def stop(app: str, file: Path | None, *, staging: bool, as_json: bool) -> None:
    """Drain and end all instances of APP; its domains get 503 until `lb start` or a deploy."""
    request = {"command": "stop", "app": app, "environment": environment_of(staging=staging)}
    finish(simple(file, request), as_json=as_json)


@click.command()
@_app
@click.argument("count", type=click.IntRange(1, 100))
@staging_option
@file_option
@json_option
def scale(app: str, count: int, file: Path | None, *, staging: bool, as_json: bool) -> None:
    """Run COUNT instances of APP, until another count in the configuration file replaces it."""
    request = {"command": "scale", "app": app, "count": count, "environment": environment_of(staging=staging)}
    carry_out(file, request, as_json=as_json)


@click.command()
@_app
@staging_option
@file_option
@json_option
def cancel(app: str, file: Path | None, *, staging: bool, as_json: bool) -> None:
    """Cancel deploys of APP that are under way or wait. What serves goes on serving."""
    request = {"command": "cancel", "app": app, "environment": environment_of(staging=staging)}
    finish(simple(file, request), as_json=as_json)


@click.command()
@_app
@staging_option
@file_option
@json_option
def attach(app: str, file: Path | None, *, staging: bool, as_json: bool) -> None:
    """Follow the deploy of APP that is under way, from its first line, as if it had been begun here.

    Of several, the newest. The exit code is that of the deploy; Ctrl-C detaches again, or cancels.
    """
    request = {"command": "attach", "app": app, "environment": environment_of(staging=staging)}
    carry_out(file, request, as_json=as_json)
