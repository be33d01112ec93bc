"""`lb version`."""

from __future__ import annotations

import click

from lb.cli.build import describe_build


@click.command()
def version() -> None:
    """Say the version, and the engine, event loop, TLS library and Python that it runs on."""
    for name, value in describe_build().items():
        click.echo(f"{name:<10} {value}")
