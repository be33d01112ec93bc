"""`lb apps`: the deployed apps, their identity and addresses."""

from __future__ import annotations

import json
from pathlib import Path

import click

from lb.cli.engine_client import file_option, finish, json_option, simple
from lb.cli.group import Group
from lb.cli.table import table

_HIDDEN = "••••"


class _ListingGroup(Group):
    """`lb apps` alone lists them."""

    def invoke(self, context: click.Context) -> object:
        if not context.protected_args and not context.args:
            return context.invoke(list_)
        return super().invoke(context)


@click.group(cls=_ListingGroup, invoke_without_command=True)
def apps() -> None:
    """Look at deployed apps, and manage them. An app belongs to the configuration file, under apps:."""


@apps.command(name="list")
@file_option
@json_option
def list_(file: Path | None, *, as_json: bool) -> None:
    """List the deployed apps."""
    result = simple(file, {"command": "apps"})
    if as_json:
        click.echo(json.dumps({"apps": result["apps"], "broken": result["broken"]}, indent=2))
        return
    rows = [
        (one["app"], one["app_id"], ", ".join(one["environments"]) or "not deployed", ", ".join(one["domains"]))
        for one in result["apps"]
    ]
    if not rows:
        click.echo("No app is deployed. Add apps: {NAME: {production: {deploy: true}}} to the file, then lb reload.")
        return
    for line in table(("APP", "ID", "ENVIRONMENTS", "DOMAINS"), rows):
        click.echo(line)


@apps.command()
@click.argument("app")
@click.option("--reveal", is_flag=True, help="Show the keys.")
@file_option
@json_option
def info(app: str, file: Path | None, *, reveal: bool, as_json: bool) -> None:
    """Show APP's ids, domains, repository, and the addresses that requests come in at and go out from at present."""
    result = simple(file, {"command": "app.info", "app": app, "reveal": reveal})
    if as_json:
        click.echo(json.dumps(result, indent=2))
        return
    addresses = result["addresses"]
    rows = (
        ("App ID", result["app_id"]),
        ("App Key", result["app_key"] or _HIDDEN),
        ("Master Key", result["master_key"] or _HIDDEN),
        ("Hook Key", result["hook_key"] or _HIDDEN),
        ("Python", result["python"] or "the newest"),
        ("Environments", ", ".join(result["environments"]) or "none is deployed"),
        ("Domains", ", ".join(result["domains"]) or "none"),
        ("Inbound", ", ".join(addresses["inbound"]) or "not known: set engine.addresses"),
        ("Outbound", ", ".join(addresses["outbound"]) or "not known: set engine.addresses"),
        ("Repository", result["repository"]),
    )
    for name, value in rows:
        click.echo(f"{name:<13} {value}")


@apps.command()
@click.argument("app")
@click.option("--python", default="", metavar="VERSION", help="For projects that name no version, such as 2.7.")
@file_option
@json_option
def create(app: str, python: str, file: Path | None, *, as_json: bool) -> None:
    """Make the ids and keys of APP before its first deploy, or set the Python version that it has by default."""
    finish(simple(file, {"command": "app.create", "app": app, "python": python}), as_json=as_json)


@apps.command()
@click.argument("app")
@click.argument("new")
@file_option
@json_option
def rename(app: str, new: str, file: Path | None, *, as_json: bool) -> None:
    """Give releases, variables and ids of APP to the name NEW; the configuration file names neither at that time."""
    finish(simple(file, {"command": "app.rename", "app": app, "new": new}), as_json=as_json)


@apps.command()
@click.argument("app")
@click.option("--yes", is_flag=True, help="Do not ask.")
@file_option
@json_option
def destroy(app: str, file: Path | None, *, yes: bool, as_json: bool) -> None:
    """Remove APP for good: releases, variables, keys, logs, repository. The configuration file no longer names it."""
    if not yes:
        click.confirm(f"Remove {app} with all of its releases, variables, keys and logs?", abort=True, err=True)
    finish(simple(file, {"command": "app.destroy", "app": app}), as_json=as_json)


@apps.command()
@click.argument("app")
@file_option
@json_option
def repository(app: str, file: Path | None, *, as_json: bool) -> None:
    """Make APP's git repository, to which a push deploys, and show where it is."""
    result = simple(file, {"command": "repository", "app": app})
    result["sentence"] = f"type: git remote add lb {result['repository']}, then git push lb main"
    finish(result, as_json=as_json)
