"""`lb certs trust` and `lb certs untrust`: whether this machine trusts the local authority."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import click

from lb.cli.exits import FAILED, fail
from lb.cli.store_options import open_place, store_options
from lb.cli.trust_stores import RootCertificate, StoreError, TrustStore, find_stores, unreached
from lb.tls.files.local_ca import LocalCa


@click.command()
@store_options
def trust(config: Path | None, store: Path | None) -> None:
    """Make this machine trust the local authority: the system, Firefox and Chromium, Python.

    It can sign for localhost, *.localhost, *.test and private addresses only. It is created if there is none.
    """
    authority = LocalCa(open_place(config, store).store.root)
    try:
        root = RootCertificate(authority.ensure_root())
    except OSError as error:
        fail(f"the authority cannot be created: {error}", FAILED)
    stores = list(find_stores(Path.home()))
    failed = _do(stores, lambda one: one.trust(root), "now trusted by", "already trusted by")
    for one in unreached(stores, os.environ):
        click.echo(f"not reached: {one}")
    click.echo("programs with a list of their own, such as Python's requests and httpx, use the system's with")
    click.echo("  export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt REQUESTS_CA_BUNDLE=$SSL_CERT_FILE")
    click.echo(f"for any other program, the authority's certificate is {root.path}")
    if failed:
        raise click.exceptions.Exit(FAILED)


@click.command()
@store_options
def untrust(config: Path | None, store: Path | None) -> None:
    """Remove the local authority from wherever `lb certs trust` put it. Its files stay."""
    authority = LocalCa(open_place(config, store).store.root)
    if not authority.root.is_file():
        fail(f"there is no local authority: {authority.root} does not exist", FAILED)
    root = RootCertificate(authority.root)
    stores = list(find_stores(Path.home()))
    if _do(stores, lambda one: one.untrust(root), "no longer trusted by", "was not trusted by"):
        raise click.exceptions.Exit(FAILED)


def _do(stores: Iterable[TrustStore], action: Callable[[TrustStore], bool], done: str, unneeded: str) -> bool:
    """Changes every list, even after one has failed; returns whether one could not be changed."""
    failed = False
    for store in stores:
        try:
            click.echo(f"{done if action(store) else unneeded} {store.title}")
        except StoreError as error:
            click.echo(f"lb: {store.title}: {error}", err=True)
            failed = True
    return failed
