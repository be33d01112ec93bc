"""`lb certs`: what the store has, what is intended about it, and asking for a renewal.

It reads the store's files and leaves requests there, so that it needs no running service, and works on a store that
several share. What is renewed when is decided elsewhere; `certs_words` puts it into words.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from lb.cli import certs_words as words
from lb.cli.exits import FAILED, fail
from lb.cli.group import Group
from lb.cli.store_options import StoreSelection, open_place, store_options
from lb.cli.trust import trust, untrust
from lb.config.model import CertificateFiles
from lb.config.problems import printable
from lb.process.wording import duration
from lb.tls.acme.certificate_info import clean_parts
from lb.tls.acme.store import ACCOUNT_KEY
from lb.tls.files.certificate import TlsError, load_certificate
from lb.tls.files.inventory import CertificateRow, Listing

_QUIET = 120.0  # seconds without a sign of a front door on the store


@click.group(cls=Group)
def certs() -> None:
    """Look at certificates, ask for renewals, trust the local authority."""


certs.add_command(trust)
certs.add_command(untrust)


@certs.command("list")
@store_options
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON array.")
def list_certificates(config: Path | None, store: Path | None, *, as_json: bool) -> None:
    """List certificates: expiry, source, what happens next.

    With --config also what its domains still lack. Below a certificate stands what went wrong with it last. Exit code 1
    when there is no such store.
    """
    place = open_place(config, store)
    rows = _rows(place)
    if as_json:
        click.echo(json.dumps([words.as_json(row) for row in rows], indent=2))
        return
    now = time.time()
    if not rows:
        click.echo(f"no certificates in {printable(str(place.store.root))}")
    for line in words.table(rows, now) if rows else ():
        click.echo(line)
    if any(row.kind == "acme" for row in rows):
        _warn_if_alone(place, now)


@certs.command()
@click.argument("name")
@store_options
def show(name: str, config: Path | None, store: Path | None) -> None:
    """Show all that is known about the certificate of NAME."""
    place, now = open_place(config, store), time.time()
    for number, row in enumerate(_about(place, name)):
        if number:
            click.echo("")
        for key, value in words.details(row, place.store, now):
            click.echo(f"{key:<14}{value}")


@certs.command()
@click.argument("name")
@store_options
def renew(name: str, config: Path | None, store: Path | None) -> None:
    """Ask the front door at work to renew the certificate of NAME now.

    Whatever waits are due; the CA's limits count such attempts, too.
    """
    place = open_place(config, store)
    found = _about(place, name)
    plan = next((row for row in found if row.plan is not None), None)
    if plan is None:
        fail(f"{printable(name)} is not renewed by ACME: {words.why_not_renewed(found[0])}", FAILED)
    _ask(place, plan.name)
    click.echo(f"asked for; `lb certs show {plan.name}` tells what becomes of it")


@certs.command("new-account-key")
@store_options
def new_account_key(config: Path | None, store: Path | None) -> None:
    """Ask the front door at work to give the accounts with the CAs new keys."""
    _ask(open_place(config, store), ACCOUNT_KEY)
    click.echo("asked for; the service's log tells what becomes of it")


@certs.command("import")
@click.argument("cert", type=click.Path(path_type=Path))
@click.argument("key", type=click.Path(path_type=Path))
@store_options
def import_certificate(cert: Path, key: Path, config: Path | None, store: Path | None) -> None:
    """Put a certificate into the store, for each of its names.

    CERT is a PEM file with its chain, KEY that of its private key. A running lb presents it at once; ACME renews it
    where it is on.
    """
    place = open_place(config, store)
    try:
        certificate = load_certificate(CertificateFiles(cert=cert, key=key))
    except TlsError as error:
        fail(str(error), FAILED)
    if certificate.not_after.timestamp() <= time.time():
        fail(f"{cert}: expired on {certificate.not_after:%Y-%m-%d %H:%M} UTC", FAILED)
    names = sorted(name for name in certificate.names if ":" not in name)
    if not names:
        fail(f"{cert}: a certificate for IPv6 addresses alone cannot be stored: name it in tls.certificates", FAILED)
    parts = clean_parts(certificate.key, certificate.chain)
    try:
        place.store.prepare()
        for name in names:
            place.store.install(name, *parts)
            place.store.save_state(name, {})
    except OSError as error:
        fail(f"the store {place.store.root} cannot be written: {error.strerror}", FAILED)
    click.echo(f"imported for {', '.join(names)}, until {words.date(certificate.not_after.timestamp())}")
    if place.plan is not None and not any(map(certificate.covers, place.plan.names)):
        click.echo(f"note: no domain in {config} has one of these names, so it will not be presented", err=True)


def _ask(place: StoreSelection, request: str) -> None:
    try:
        place.store.ask_for(request)
    except FileNotFoundError:
        fail(f"{place.store.root} is no store of certificates", FAILED)
    except OSError as error:
        fail(f"the store {place.store.root} cannot be written: {error.strerror}", FAILED)
    _warn_if_alone(place, time.time())


def _warn_if_alone(place: StoreSelection, now: float) -> None:
    seen = place.store.seen_at()
    if seen is None:
        click.echo("note: no front door has worked on this store yet", err=True)
    elif now - seen > _QUIET:
        click.echo(f"note: no front door has worked on this store for {duration(now - seen)}", err=True)


def _about(place: StoreSelection, name: str) -> list[CertificateRow]:
    """The certificates that have a name; one at least."""
    found = [row for row in _rows(place) if row.is_about(name.lower().removesuffix("."))]
    if not found:
        fail(f"there is no certificate for {printable(name)}; `lb certs list` shows which there are", FAILED)
    return sorted(found, key=lambda row: row.plan is None)


def _rows(place: StoreSelection) -> list[CertificateRow]:
    """Ends the command where there is no store: somebody looks in the wrong place."""
    root = place.store.root
    try:
        if place.plan is None and not any((root / part).is_dir() for part in ("certificates", "local")):
            what = "has no certificates of lb in it" if root.is_dir() else "does not exist"
            fail(
                f"{printable(str(root))} {what}: name the store with --store, or the configuration with --config",
                FAILED,
            )
        return Listing(place.store, place.plan).rows()
    except OSError as error:
        fail(f"the store {root} cannot be read: {error.strerror}", FAILED)
