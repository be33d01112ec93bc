"""`lb version`."""

from __future__ import annotations

import click

from lb.cli.build import describe_build
from lb.cli.fallbacks import warnings


@click.command()
def version() -> None:
    """Show the version, and the engine, event loop, TLS library and Python in use."""
    build = describe_build()
    for name, value in build.items():
        click.echo(f"{name:<14} {value}")
    for text in warnings(build):
        click.echo(click.style(f"warning: {text}", fg="yellow"), err=True)
