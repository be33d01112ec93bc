"""Certificates as text and JSON: one line each for `lb certs list`, everything known for `lb certs show`.

`lb.tls.files.inventory` collects the facts; this file only words them. Times are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import click

from lb.config.problems import printable
from lb.process.wording import duration
from lb.tls.acme.store import Store
from lb.tls.files.inventory import CertificateRow
from lb.tls.files.local_ca import SPARE

_MISSING = "HTTPS fails: add one to tls.certificates, import one (lb certs import), or set tls.acme"
_HEADS = ("NAME", "EXPIRES", "SOURCE", "NEXT")


def table(rows: Sequence[CertificateRow], now: float) -> Iterator[str]:
    """A heading, a line per certificate, and below it a line for its last error."""
    cells = [(_title(row), _expiry(row, now), _source(row), _next(row, now)) for row in rows]
    widths = [max(map(len, column)) for column in zip(_HEADS, *cells, strict=True)]
    yield _line(_HEADS, widths)
    for row, (title, expiry, *others) in zip(rows, cells, strict=True):
        line = _line((title, expiry, *others), widths)
        ended = row.held is not None and row.held.not_after <= now
        yield line.replace(expiry, click.style(expiry, fg="red"), 1) if ended else line
        if (error := _error(row, now)) is not None:
            yield f"  {click.style(error, fg='yellow')}"


def details(row: CertificateRow, store: Store, now: float) -> Iterator[tuple[str, str]]:
    """Everything that is known, as (label, value)."""
    yield "name", row.name
    yield "names", ", ".join(row.names)
    if row.held is None:
        yield "certificate", _expiry(row, now)
    else:
        yield "issuer", row.held.issuer
        yield "serial", f"{row.held.serial:x}"
        if row.held.key:
            yield "key", row.held.key
        yield "valid from", _when(row.held.not_before, now)
        yield "expires", _when(row.held.not_after, now)
    yield "source", _source(row)
    if row.path is not None:
        yield "file", str(row.path)
    if row.plan is None:
        yield "next", _next(row, now)
    else:
        yield from _intentions(row, row.plan, store, now)


def as_json(row: CertificateRow) -> dict[str, Any]:
    held, plan = row.held, row.plan
    return {
        "name": row.name,
        "source": row.kind,
        "ca": plan["ca"] or None if plan is not None else None,
        "file": None if row.path is None else str(row.path),
        "names": list(row.names),
        "not_before": None if held is None else held.not_before,
        "not_after": None if held is None else held.not_after,
        "issuer": None if held is None else held.issuer,
        "next_attempt": None if plan is None else plan["next_attempt"],
        "failures": 0 if plan is None else plan["failures"],
        "last_error": None if plan is None else plan["last_error"] or None,
    }


def why_not_renewed(row: CertificateRow) -> str:
    """What to do instead of renewing by ACME."""
    if row.kind == "file":
        return f"it is a file of the configuration: replace {row.path} and its key, and lb loads them by itself"
    if row.kind == "local":
        return "the local authority renews it by itself, in time"
    if row.kind == "none":
        return f"there is none; {_MISSING}"
    if row.kind == "acme":
        return "no front door has handled it yet: it is ordered as soon as lb serves the configuration"
    return "it is in the store, but no bound domain needs it; import another one with lb certs import"


def date(moment: float) -> str:
    try:
        return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, OSError, ValueError):
        return "never"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def _title(row: CertificateRow) -> str:
    others = len(set(row.names) - {row.name})
    return printable(row.name) + (f" and {others} more" if others else "")


def _expiry(row: CertificateRow, now: float) -> str:
    if row.kind == "none":
        return "no certificate"
    if row.held is None:
        return "no certificate yet" if row.path is None or not row.path.exists() else "cannot be read"
    ends = row.held.not_after
    if ends <= now:
        return f"expired {duration(now - ends)} ago"
    return f"{date(ends)[:10]}, in {duration(ends - now)}"


def _source(row: CertificateRow) -> str:
    if row.plan is not None and row.plan["ca"]:
        return f"ACME, {urlsplit(row.plan['ca']).netloc}"
    words = {"none": "", "acme": "ACME", "store": "the store", "file": "a file", "local": "the local authority"}
    return words[row.kind]


def _next(row: CertificateRow, now: float) -> str:
    """What happens to it next."""
    plan = row.plan
    if plan is not None:
        if plan["under_way"]:
            return "an attempt is in progress"
        at = plan["next_attempt"]
        word = "attempt" if plan["failures"] or row.held is None else "renewal"
        return "" if at is None else f"{word} {_relative(at, now)}"
    if row.kind == "none":
        return _MISSING
    if row.kind == "local":
        return "replaced " + _relative(row.held.not_after - SPARE, now) if row.held else "created when lb serves it"
    if row.kind == "acme":
        return "ordered when lb serves it"
    return "not renewed: no bound domain needs it" if row.kind == "store" else "reloaded when the file is replaced"


def _error(row: CertificateRow, now: float) -> str | None:
    if row.plan is None or not row.plan["last_error"]:
        return None
    times = row.plan["failures"]
    count = "" if times == 1 else f", {times} times in a row"
    return f"failed {_relative(row.plan['last_error_at'], now)}{count}: {row.plan['last_error']}"


def _intentions(row: CertificateRow, plan: dict[str, Any], store: Store, now: float) -> Iterator[tuple[str, str]]:
    if plan["under_way"]:
        yield "now", "an attempt is in progress"
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


def _when(moment: float, now: float) -> str:
    """`2027-03-01 12:00 UTC (in 63 d 2 h)`."""
    return f"{date(moment)} ({_relative(moment, now)})"


def _relative(moment: float, now: float) -> str:
    distance = moment - now
    if abs(distance) < 1:
        return "now"
    return f"in {duration(distance)}" if distance > 0 else f"{duration(-distance)} ago"
