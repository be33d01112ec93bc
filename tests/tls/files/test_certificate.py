from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec

from lb.config.model import CertificateFiles
from lb.tls.files.certificate import Certificate, TlsError, load_certificate
from tests.tls.certificate_files import issue, self_signed, write_key


def named(*names: str) -> Certificate:
    now = datetime.now(UTC)
    return Certificate(frozenset(names), now, now, Path("x.pem"), Path("x.key"), "")


# spec: D5
@pytest.mark.parametrize(
    ("host", "covered"),
    [
        ("example.com", True),
        ("example.com.", True),
        ("a.wild.example", True),
        ("a.wild.example.", True),
        ("a.b.wild.example", False),
        ("wild.example", False),
        (".wild.example", True),
        ("www.example.com", False),
        ("xexample.com", False),
        ("127.0.0.1", True),
        ("127.0.0.2", False),
        ("::1", True),
        ("[::1]", True),
        ("[0:0:0:0:0:0:0:1]", True),
        ("[::2]", False),
        ("[::1", True),
        ("::zz", False),
        ("localhost", False),
        ("", False),
        (".", False),
    ],
)
def test_names_that_a_certificate_covers(host: str, covered: bool) -> None:
    certificate = named("example.com", "*.wild.example", "127.0.0.1", "::1")
    assert certificate.covers(host) is covered


# spec: D5
def test_names_are_read_from_the_file(tmp_path: Path) -> None:
    files = self_signed(tmp_path, ["Shop.Example.COM", "*.example.com", "127.0.0.1", "::1"])
    certificate = load_certificate(files)
    assert certificate.names == {"shop.example.com", "*.example.com", "127.0.0.1", "::1"}
    assert certificate.path == files.cert


def test_dates_are_read_from_the_file(tmp_path: Path) -> None:
    end = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert load_certificate(self_signed(tmp_path, ["a.example"], not_after=end)).not_after == end


# spec: T5
@pytest.mark.parametrize(("days", "expected"), [(1, []), (-1, ["expired"]), (100, ["not valid before"])])
def test_dates_that_clients_refuse_are_warned_about(tmp_path: Path, days: int, expected: list[str]) -> None:
    now = datetime.now(UTC)
    start, end = sorted([now + timedelta(days=days), now + timedelta(days=days * 2 if days > 0 else days - 9)])
    if days == 1:
        start = now - timedelta(days=1)
    certificate = load_certificate(self_signed(tmp_path, ["a.example"], not_before=start, not_after=end))
    warnings = certificate.warnings(now)
    assert len(warnings) == len(expected)
    assert all(word in text and str(certificate.path) in text for word, text in zip(expected, warnings, strict=True))


def refusal(files: CertificateFiles) -> tuple[Path, str]:
    with pytest.raises(TlsError) as caught:
        load_certificate(files)
    (problem,) = caught.value.problems
    assert str(caught.value) == f"{problem.path}: {problem.reason}"
    return problem.path, problem.reason


# spec: R1
def test_a_missing_file(tmp_path: Path) -> None:
    files = self_signed(tmp_path, ["a.example"])
    files.key.unlink()
    assert refusal(files) == (files.key, "No such file or directory")
    files.cert.unlink()
    assert refusal(files) == (files.cert, "No such file or directory")


# spec: R1
def test_an_unreadable_file(tmp_path: Path) -> None:
    files = self_signed(tmp_path, ["a.example"])
    files.key.unlink()
    files.key.mkdir()
    assert refusal(files) == (files.key, "Is a directory")


# spec: R1
@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_is_not_pem(tmp_path: Path, content: bytes) -> None:
    files = self_signed(tmp_path, ["a.example"])
    good = files.cert.read_bytes()
    files.cert.write_bytes(content)
    assert refusal(files) == (files.cert, "not a certificate in PEM form")
    files.cert.write_bytes(good)
    files.key.write_bytes(content)
    assert refusal(files) == (files.key, "not a private key in PEM form")


# spec: R1
def test_files_that_are_swapped(tmp_path: Path) -> None:
    files = self_signed(tmp_path, ["a.example"])
    swapped = CertificateFiles(cert=files.key, key=files.cert)
    assert refusal(swapped) == (files.key, "not a certificate in PEM form")


# spec: R1
def test_a_key_of_another_certificate(tmp_path: Path) -> None:
    files = self_signed(tmp_path, ["a.example"])
    write_key(files.key, ec.generate_private_key(ec.SECP256R1()))
    assert refusal(files) == (files.key, f"not the key of the first certificate in {files.cert}")


# spec: R1
def test_a_chain_in_the_wrong_order(tmp_path: Path) -> None:
    files = issue(trustme.CA(), tmp_path, "a.example")
    root = trustme.CA().cert_pem.bytes()
    files.cert.write_bytes(root + files.cert.read_bytes())
    assert refusal(files) == (files.key, f"not the key of the first certificate in {files.cert}")


# spec: R1
def test_an_encrypted_key_is_refused_instead_of_asked_for(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    files = self_signed(tmp_path, ["a.example"], key=key)
    write_key(files.key, key, b"secret")
    assert refusal(files) == (files.key, "the key is encrypted; a server needs it without a password")


# spec: R1
def test_a_certificate_without_names(tmp_path: Path) -> None:
    files = self_signed(tmp_path, [])
    assert refusal(files) == (files.cert, "the certificate has no names (subjectAltName)")
