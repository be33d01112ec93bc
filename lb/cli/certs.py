"""`lb certs`: what the store has, what is intended about it, and asking for a renewal.

It reads the store's files and leaves requests there, so that it needs no running service, and works on a store that
several share. What is renewed when is decided elsewhere; here it is put into words.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from lb.cli.exits import FAILED, fail
from lb.cli.store_options import Place, open_place, store_options
from lb.cli.trust import trust, untrust
from lb.config.model import CertificateFiles
from lb.config.problems import printable
from lb.control.words import duration
from lb.tls.acme.held import Held, clean_parts, parse_certificate, read_held
from lb.tls.acme.store import ACCOUNT_KEY, Store, unstem
from lb.tls.certificate import TlsError, load_certificate

_QUIET = 120.0  # seconds without a sign of a front door on the store


@dataclass(frozen=True, slots=True)
class Row:
    """One certificate. `plan` is what the front door at work intends, None if it intends nothing."""

    name: str
    source: str
    path: Path | None
    held: Held | None
    plan: dict[str, Any] | None


@click.group()
def certs() -> None:
    """Look at certificates, ask for renewals, trust the local authority."""


certs.add_command(trust)
certs.add_command(untrust)


@certs.command("list")
@store_options
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON array.")
def list_certificates(config: Path | None, store: Path | None, *, as_json: bool) -> None:
    """List every certificate: expiry, source, next attempt, last error."""
    place = open_place(config, store)
    rows = _rows(place)
    if as_json:
        click.echo(json.dumps([_as_json(row) for row in rows], indent=2))
        return
    now = time.time()
    if not rows:
        click.echo(f"no certificates in {printable(str(place.store.root))}")
    width = max((len(row.name) for row in rows), default=0)
    for row in rows:
        click.echo(f"{row.name:<{width}}  {'; '.join(_summary(row, now))}")
        if (error := _error(row, now)) is not None:
            click.echo(f"{'':<{width}}  {click.style(error, fg='yellow')}")
    _warn_if_alone(place, now)


@certs.command()
@click.argument("name")
@store_options
def show(name: str, config: Path | None, store: Path | None) -> None:
    """Show all that is known about the certificate of NAME."""
    place, now = open_place(config, store), time.time()
    found = [row for row in _rows(place) if name.lower() in (row.name, *(row.held.names if row.held else ()))]
    if not found:
        fail(f"there is no certificate for {printable(name)}; `lb certs list` shows which there are", FAILED)
    for row in found:
        for key, value in _details(row, place.store, now):
            click.echo(f"{key:<14}{value}")
        click.echo("")


@certs.command()
@click.argument("name")
@store_options
def renew(name: str, config: Path | None, store: Path | None) -> None:
    """Ask the front door at work to renew the certificate of NAME now."""
    place = open_place(config, store)
    plan = next((row for row in _rows(place) if row.plan is not None and name.lower() == row.name), None)
    if plan is None:
        fail(f"{printable(name)} is not obtained by ACME here; `lb certs list` shows what is", FAILED)
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
    parts = clean_parts(certificate.key, certificate.chain)
    try:
        place.store.prepare()
        for name in names:
            place.store.install(name, *parts)
            place.store.save_state(name, {})
    except OSError as error:
        fail(f"the store {place.store.root} cannot be written: {error.strerror}", FAILED)
    click.echo(f"imported for {', '.join(names)}, until {_date(certificate.not_after.timestamp())}")


def _ask(place: Place, request: str) -> None:
    try:
        place.store.ask_for(request)
    except FileNotFoundError:
        fail(f"{place.store.root} is no store of certificates", FAILED)
    except OSError as error:
        fail(f"the store {place.store.root} cannot be written: {error.strerror}", FAILED)
    _warn_if_alone(place, time.time())


def _warn_if_alone(place: Place, now: float) -> None:
    seen = place.store.seen_at()
    if seen is None:
        click.echo("note: no front door has worked on this store yet", err=True)
    elif now - seen > _QUIET:
        click.echo(f"note: no front door has worked on this store for {duration(now - seen)}", err=True)


# Rows


def _rows(place: Place) -> list[Row]:
    """What the front door intends, what else is in the store, and the configuration's own files."""
    store = place.store
    try:
        status = store.status() or {}
        plans: dict[str, dict[str, Any]] = {plan["name"]: plan for plan in status.get("certificates", ())}
        paths = {unstem(path.stem): path for path in store.certificate_paths()}
        rows = [
            Row(name, _source(plans.get(name)), paths.get(name), _held(paths.get(name)), plans.get(name))
            for name in sorted(plans.keys() | paths.keys(), key=lambda name: name.split(".")[::-1])
        ]
    except OSError as error:
        fail(f"the store {store.root} cannot be read: {error.strerror}", FAILED)
    for files in () if place.config is None else place.config.tls.certificates:
        held = _held_of_file(files.cert)
        name = min(held.names) if held is not None and held.names else str(files.cert)
        rows.append(Row(name, "file", files.cert, held, None))
    return rows


def _source(plan: dict[str, Any] | None) -> str:
    if plan is None:
        return "store"
    return f"ACME, {urlsplit(plan['ca']).netloc}" if plan["ca"] else "ACME"


def _held(path: Path | None) -> Held | None:
    return None if path is None else read_held(path)


def _held_of_file(path: Path) -> Held | None:
    try:
        return parse_certificate(path.read_bytes())
    except OSError:
        return None


# Words


def _summary(row: Row, now: float) -> Iterator[str]:
    if row.held is None:
        yield "no certificate yet" if row.path is None else "cannot be read"
    elif row.held.not_after <= now:
        yield click.style(f"expired {_when(row.held.not_after, now)}", fg="red")
    else:
        yield f"expires {_when(row.held.not_after, now)}"
    yield f"from {row.source}"
    if row.plan is None:
        if row.source == "store":
            yield "not renewed: no bound domain needs it"
    elif row.plan["under_way"]:
        yield "under way"
    elif row.plan["next_attempt"] is not None:
        word = "next attempt" if row.plan["failures"] or row.held is None else "renewal"
        yield f"{word} {_when(row.plan['next_attempt'], now)}"


def _error(row: Row, now: float) -> str | None:
    if row.plan is None or not row.plan["last_error"]:
        return None
    times = row.plan["failures"]
    count = "" if times == 1 else f", {times} times in a row"
    return f"last error {_when(row.plan['last_error_at'], now)}{count}: {row.plan['last_error']}"


def _details(row: Row, store: Store, now: float) -> Iterator[tuple[str, str]]:
    yield "name", row.name
    if row.held is not None:
        yield "names", ", ".join(sorted(row.held.names))
        yield "issuer", row.held.issuer
        yield "serial", f"{row.held.serial:x}"
        if row.held.key:
            yield "key", row.held.key
        yield "valid from", _when(row.held.not_before, now)
        yield "expires", _when(row.held.not_after, now)
    yield "source", row.source
    if row.path is not None:
        yield "file", str(row.path)
    if row.plan is not None:
        yield from _intentions(row, row.plan, store, now)


def _intentions(row: Row, plan: dict[str, Any], store: Store, now: float) -> Iterator[tuple[str, str]]:
    if plan["under_way"]:
        yield "now", "an attempt is under way"
    elif plan["next_attempt"] is not None:
        yield "next attempt", _when(plan["next_attempt"], now)
    if plan["explanation"]:
        yield "the CA says", plan["explanation"]
    state = store.state(row.name) or {}
    for failure in state.get("failures", ()):
        yield "failed", f"{failure['message']} ({failure['count']} in a row, {_when(failure['at'], now)})"
    if not state.get("failures") and (error := _error(row, now)) is not None:
        yield "failed", error
    if (order := store.order(row.name)) is not None:
        yield "order", str(order.get("url") or "begun")


def _as_json(row: Row) -> dict[str, Any]:
    held = row.held
    return {
        "name": row.name,
        "source": row.source,
        "file": None if row.path is None else str(row.path),
        "names": [] if held is None else sorted(held.names),
        "not_before": None if held is None else held.not_before,
        "not_after": None if held is None else held.not_after,
        "issuer": None if held is None else held.issuer,
        "next_attempt": None if row.plan is None else row.plan["next_attempt"],
        "failures": 0 if row.plan is None else row.plan["failures"],
        "last_error": None if row.plan is None else row.plan["last_error"] or None,
    }


def _when(moment: float, now: float) -> str:
    """`2027-03-01 12:00 UTC (in 63 d 2 h)`."""
    distance = moment - now
    if abs(distance) < 1:
        return f"{_date(moment)} (now)"
    relative = f"in {duration(distance)}" if distance > 0 else f"{duration(-distance)} ago"
    return f"{_date(moment)} ({relative})"


def _date(moment: float) -> str:
    try:
        return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, OSError, ValueError):
        return "never"
