"""`lb certs`: what is in the store, what happens next, and requests for renewal.

It reads the store's files and leaves requests there, so it needs no running service and works on a shared store.
What is renewed when is decided elsewhere; `certs_words` puts it into words.
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
from lb.tls.files.inventory import CertificateInventory, CertificateRow

_QUIET = 120.0  # seconds after which a store counts as unused by any front door


@click.group(cls=Group)
def certs() -> None:
    """Show, renew and import certificates, and trust the local authority."""


certs.add_command(trust)
certs.add_command(untrust)


@certs.command("list")
@store_options
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON array.")
def list_certificates(config: Path | None, store: Path | None, *, as_json: bool) -> None:
    """List certificates: expiry, source, what happens next.

    With --config, also shows what its domains still lack. The last error of a certificate is shown below it. Exit code
    1 if there is no such store.
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
    """Show everything that is known about the certificate of NAME."""
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
    """Ask the running service to renew the certificate of NAME now.

    Waiting times after a failure are skipped. The CA's limits count such attempts, too.
    """
    place = open_place(config, store)
    found = _about(place, name)
    plan = next((row for row in found if row.plan is not None), None)
    if plan is None:
        fail(f"{printable(name)} is not renewed by ACME: {words.why_not_renewed(found[0])}", FAILED)
    _ask(place, plan.name)
    click.echo(f"renewal requested; `lb certs show {plan.name}` shows the outcome")


@certs.command("new-account-key")
@store_options
def new_account_key(config: Path | None, store: Path | None) -> None:
    """Ask the running service to replace the keys of its accounts with the CAs."""
    _ask(open_place(config, store), ACCOUNT_KEY)
    click.echo("new keys requested; the outcome is in the service's log")


@certs.command("import")
@click.argument("cert", type=click.Path(path_type=Path))
@click.argument("key", type=click.Path(path_type=Path))
@store_options
def import_certificate(cert: Path, key: Path, config: Path | None, store: Path | None) -> None:
    """Put a certificate into the store, for each of its names.

    CERT is a PEM file with the certificate and its chain, KEY one with its private key. A running lb presents it within
    seconds; if tls.acme is set, it is renewed in time.
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
        fail(f"{cert}: a certificate for IPv6 addresses only cannot be stored: name it in tls.certificates", FAILED)
    parts = clean_parts(certificate.key, certificate.chain)
    try:
        place.store.prepare()
        for name in names:
            place.store.install(name, *parts)
            place.store.save_state(name, {})
    except OSError as error:
        fail(f"the store {place.store.root} is not writable: {error.strerror}", FAILED)
    click.echo(f"imported for {', '.join(names)}, until {words.date(certificate.not_after.timestamp())}")
    if place.plan is not None and not any(map(certificate.covers, place.plan.names)):
        click.echo(f"note: no domain in {config} has one of these names, so it will not be presented", err=True)


def _ask(place: StoreSelection, request: str) -> None:
    try:
        place.store.ask_for(request)
    except FileNotFoundError:
        fail(f"{place.store.root} is not a certificate store", FAILED)
    except OSError as error:
        fail(f"the store {place.store.root} is not writable: {error.strerror}", FAILED)
    _warn_if_alone(place, time.time())


def _warn_if_alone(place: StoreSelection, now: float) -> None:
    seen = place.store.seen_at()
    if seen is None:
        click.echo("note: no front door has used this store yet", err=True)
    elif now - seen > _QUIET:
        click.echo(f"note: no front door has used this store for {duration(now - seen)}", err=True)


def _about(place: StoreSelection, name: str) -> list[CertificateRow]:
    """The certificates for a name; at least one."""
    found = [row for row in _rows(place) if row.is_about(name.lower().removesuffix("."))]
    if not found:
        fail(f"there is no certificate for {printable(name)}; `lb certs list` shows those that exist", FAILED)
    return sorted(found, key=lambda row: row.plan is None)


def _rows(place: StoreSelection) -> list[CertificateRow]:
    """Ends the command if there is no store: the directory is probably the wrong one."""
    root = place.store.root
    try:
        if place.plan is None and not any((root / part).is_dir() for part in ("certificates", "local")):
            what = "has no certificates of lb" if root.is_dir() else "does not exist"
            fail(
                f"{printable(str(root))} {what}: name the store with --store, or the configuration with --config",
                FAILED,
            )
        return CertificateInventory(place.store, place.plan).rows()
    except OSError as error:
        fail(f"the store {root} is not readable: {error.strerror}", FAILED)
