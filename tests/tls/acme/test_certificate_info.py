"""A certificate that we hold, as far as renewal is concerned."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from lb.tls.acme.certificate_info import HeldFiles, clean_parts, parse_held
from tests.tls.certificate_files import issue


@pytest.fixture
def ca() -> trustme.CA:
    return trustme.CA()


def test_names_dates_issuer_and_what_the_ca_calls_it(ca: trustme.CA, tmp_path: Path) -> None:
    # spec: T5
    files = issue(ca, tmp_path, "A.example", "192.0.2.1")
    held = parse_held(files.cert.read_bytes(), files.key.read_bytes())
    assert held is not None
    assert held.names == {"a.example", "192.0.2.1"}
    assert held.not_before < held.not_after == held.not_before + held.lifetime
    assert held.issuer.startswith("trustme")
    assert held.key.startswith("E")
    assert held.ari.count(".") in (0, 1)


@pytest.mark.parametrize("pem", [b"", b"no pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_none_is_none(pem: bytes) -> None:
    assert parse_held(pem) is None


def test_a_key_of_another_certificate_is_as_good_as_none(ca: trustme.CA, tmp_path: Path) -> None:
    one, other = issue(ca, tmp_path, "a.example"), issue(ca, tmp_path, "b.example")
    assert parse_held(one.cert.read_bytes(), other.key.read_bytes()) is None
    assert HeldFiles().read(str(one.cert), str(other.key)) is None
    assert HeldFiles().read(str(one.cert), str(one.key)) is not None
    assert HeldFiles().read(str(tmp_path / "missing"), None) is None


def test_a_file_that_is_replaced_is_read_again(ca: trustme.CA, tmp_path: Path) -> None:
    files, known = issue(ca, tmp_path, "a.example"), HeldFiles()
    first = known.read(str(files.cert), str(files.key))
    second = issue(ca, tmp_path, "b.example")
    second.cert.replace(files.cert)
    second.key.replace(files.key)
    found = known.read(str(files.cert), str(files.key))
    assert first is not None
    assert found is not None
    assert [*first.names, *found.names] == ["a.example", "b.example"]


def test_remarks_around_a_key_and_a_chain_are_left_out(ca: trustme.CA, tmp_path: Path) -> None:
    files = issue(ca, tmp_path, "a.example")
    both = b"# a remark\n" + files.key.read_bytes() + b"bag attributes\n" + files.cert.read_bytes()
    key, chain = clean_parts(both, both)
    assert parse_held(key + chain) is not None
    assert b"remark" not in key + chain
    assert b"bag" not in key + chain
