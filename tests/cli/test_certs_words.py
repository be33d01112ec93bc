"""Certificates in words and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lb.cli.certs_words import as_json, date, details, table, why_not_renewed
from lb.tls.acme.certificate_info import CertificateInfo
from lb.tls.acme.store import Store
from lb.tls.files.inventory import CertificateRow

NOW = 1_800_000_000.0
DAY = 86400.0


def info(ends_in: float = 30 * DAY) -> CertificateInfo:
    return CertificateInfo(frozenset({"a.example"}), NOW - DAY, NOW + ends_in, "Some CA", 255, "ari", "EC")


def plan(**change: Any) -> dict[str, Any]:
    return {
        "ca": "https://ca.example/directory",
        "under_way": False,
        "next_attempt": NOW + 3600,
        "failures": 0,
        "last_error": "",
        "last_error_at": None,
        "explanation": "",
    } | change


def row(kind: Any = "file", held: CertificateInfo | None = None, **more: Any) -> CertificateRow:
    return CertificateRow("a.example", more.pop("names", ("a.example",)), kind, more.pop("path", None), held, **more)


def line(one: CertificateRow) -> str:
    return list(table([one], NOW))[1]


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (row("file", info()), ("in 30 d", "a file", "reloaded when the file is replaced")),
        (row("file", info(-DAY)), ("expired", "ago")),
        (row("none"), ("no certificate", "HTTPS fails")),
        (row("acme"), ("no certificate yet", "ACME", "ordered when lb serves it")),
        (row("acme", info(), plan=plan()), ("ACME, ca.example", "renewal in 1 h")),
        (row("acme", None, plan=plan(under_way=True)), ("an attempt is in progress",)),
        (row("store", info()), ("not renewed: no bound domain needs it",)),
        (row("local", info()), ("the local authority", "replaced in 27 d")),
        (row("file", info(), names=("a.example", "b.example")), ("a.example and 1 more",)),
    ],
)
def test_a_line(one: CertificateRow, words: tuple[str, ...]) -> None:
    found = line(one)
    assert all(word in found for word in words), found


def test_what_went_wrong_is_a_line_of_its_own() -> None:
    # spec: E3
    failed = row("acme", None, plan=plan(failures=3, last_error="no address", last_error_at=NOW - 60))
    lines = list(table([failed], NOW))
    assert len(lines) == 3
    assert "3 times in a row: no address" in lines[2]


def test_what_stands_in_a_certificate_cannot_drive_a_terminal() -> None:
    odd = CertificateRow("a\x1b[2J", ("a\x1b[2J",), "file", None, info())
    assert "\x1b[2J" not in line(odd)


def test_all_that_is_known(tmp_path: Path) -> None:
    found = dict(details(row("file", info(), path=tmp_path / "a.pem"), Store(tmp_path), NOW))
    assert found["serial"] == "ff"
    assert found["issuer"] == "Some CA"
    assert found["file"] == str(tmp_path / "a.pem")
    assert found["expires"].endswith("(in 30 d)")


def test_for_programs() -> None:
    found = as_json(row("acme", info(), plan=plan(failures=2, last_error="no")))
    assert (found["source"], found["ca"], found["failures"], found["last_error"]) == (
        "acme",
        "https://ca.example/directory",
        2,
        "no",
    )
    assert as_json(row("none"))["not_after"] is None


@pytest.mark.parametrize("kind", ["file", "local", "none", "acme", "store"])
def test_why_it_is_not_renewed_and_what_to_do(kind: Any) -> None:
    assert len(why_not_renewed(row(kind, path=Path("a.pem")))) > 20


def test_a_date_that_is_none() -> None:
    assert date(0) == "1970-01-01 00:00 UTC"
    assert date(1e30) == "never"
