"""The options that select the certificate store of a command."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from lb.cli.running import refuse
from lb.config.load import load_file
from lb.config.plan import TlsPlan
from lb.config.problems import ConfigErrors
from lb.tls.acme.store import Store


@dataclass(frozen=True, slots=True)
class StoreSelection:
    """The store, and the certificates of the configuration if one was named."""

    store: Store
    plan: TlsPlan | None


def store_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that select the store."""
    config = click.option(
        "--config", "-c", metavar="FILE", type=click.Path(path_type=Path), help="Take tls.store from this file."
    )
    store = click.option(
        "--store", metavar="DIR", type=click.Path(path_type=Path), help="The store's directory; certs if not given."
    )
    return config(store(command))


def open_place(config: Path | None, store: Path | None) -> StoreSelection:
    if config is None:
        return StoreSelection(Store(store or Path("certs")), None)
    if store is not None:
        raise click.UsageError("Name either a configuration with --config or a directory with --store.")
    try:
        plan = load_file(config, os.environ).plan.tls
    except ConfigErrors as errors:
        refuse(errors)
    return StoreSelection(Store(plan.settings.store), plan)
