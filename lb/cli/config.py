"""`lb config`: the schema of the configuration file for editors, and an example to start with."""

from __future__ import annotations

import json
from importlib.resources import files

import click

from lb.cli.group import Group
from lb.config.schema import config_schema


@click.group(cls=Group)
def config() -> None:
    """Print an example configuration file, or the JSON Schema."""


@config.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    click.echo(json.dumps(config_schema(), indent=2))


@config.command()
def example() -> None:
    """Print an annotated configuration file to start with."""
    click.echo(files("lb.config").joinpath("example.yaml").read_text(encoding="utf-8"), nl=False)
