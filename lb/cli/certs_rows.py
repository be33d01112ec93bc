"""What certificates there are: those of a store, those that a front door intends, those of the local authority and,
where a configuration is named, its files and what its domains still lack.

This file reads; it needs no running service, and it knows no words for people (`certs_words` has them).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lb.cli.store_options import Place
from lb.tls.acme.held import Held, parse_certificate, read_held
from lb.tls.acme.store import unstem
from lb.tls.acme.wanted import make_plan
from lb.tls.certificate import wildcard_of
from lb.tls.local_ca import LocalCa
from lb.tls.sources import LocalSource

Kind = Literal["acme", "store", "file", "local"]


@dataclass(frozen=True, slots=True)
class Row:
    """One certificate. `plan` is what the front door at work intends, None if it intends nothing; `names` are those
    that it covers, or is to cover. Without `held` there is none at `path`, or none that can be read.
    """

    name: str
    names: tuple[str, ...]
    kind: Kind
    path: Path | None
    held: Held | None
    plan: dict[str, Any] | None = None

    def is_about(self, name: str) -> bool:
        return name == self.name or name in self.names


def read_rows(place: Place) -> list[Row]:
    """In the order of their names, read from the right. Raises OSError for a store that cannot be read."""
    rows = [*_stored(place), *_files(place), *_local(place)]
    known = {name for row in rows for name in row.names}
    rows += _lacking(place, known)
    return sorted(rows, key=lambda row: row.name.split(".")[::-1])


def _stored(place: Place) -> Iterator[Row]:
    status = place.store.status() or {}
    plans: dict[str, dict[str, Any]] = {plan["name"]: plan for plan in status.get("certificates", ())}
    if place.config is not None and place.config.tls.acme is None:
        plans = {}  # of a service that ran with it before
    paths = {unstem(path.stem): path for path in place.store.certificate_paths()}
    for name in plans.keys() | paths.keys():
        path, plan = paths.get(name), plans.get(name)
        held = None if path is None else read_held(path)
        intended = () if plan is None else plan.get("names", ())
        yield Row(name, _names(held, name, *intended), "store" if plan is None else "acme", path, held, plan)


def _files(place: Place) -> Iterator[Row]:
    for files in () if place.config is None else place.config.tls.certificates:
        try:
            held = parse_certificate(files.cert.read_bytes())
        except OSError:
            held = None
        name = min(held.names) if held is not None and held.names else str(files.cert)
        yield Row(name, _names(held), "file", files.cert, held)


def _local(place: Place) -> Iterator[Row]:
    """That of the local authority; not yet made where a configuration needs one and was never served."""
    path = LocalCa(place.store.root).served
    held = read_held(path)
    wanted = () if place.config is None or not place.config.listen.https else LocalSource(place.config).names
    names = _names(held, *wanted)
    if names or path.exists():
        yield Row(names[0] if names else str(path), names, "local", path if path.exists() else None, held)


def _lacking(place: Place, known: set[str]) -> Iterator[Row]:
    """What ACME will be asked for as soon as the configuration is served."""
    if place.config is None or place.config.tls.acme is None:
        return
    for wanted in make_plan(place.config, lambda name: name in known or wildcard_of(name) in known).wanted:
        yield Row(wanted.name, wanted.names, "acme", None, None)


def _names(held: Held | None, *more: str) -> tuple[str, ...]:
    return tuple(sorted({*more, *(() if held is None else held.names)}))
