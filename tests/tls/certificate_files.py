"""Certificate files for the tests: any names, dates and kinds of key, self-signed or from one throw-away CA."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from lb.config.model import CertificateFiles

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def issue(ca: trustme.CA, directory: Path, *names: str, rsa_key: bool = False) -> CertificateFiles:
    """A certificate with its chain, signed by `ca`."""
    kind = trustme.KeyType.RSA if rsa_key else trustme.KeyType.ECDSA
    leaf = ca.issue_cert(*names, key_type=kind)
    stem = f"{len(list(directory.iterdir()))}"
    cert, key = directory / f"{stem}.pem", directory / f"{stem}.key"
    cert.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    key.write_bytes(leaf.private_key_pem.bytes())
    return CertificateFiles(cert=cert, key=key)


def self_signed(
    directory: Path,
    names: Sequence[str],
    *,
    key: Key | None = None,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
) -> CertificateFiles:
    """A certificate that no client trusts, with exactly these dates; without names it has no subjectAltName."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "common.example")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before or now - timedelta(days=90))
        .not_valid_after(not_after or now + timedelta(days=90))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), False)
    files = CertificateFiles(cert=directory / "self.pem", key=directory / "self.key")
    files.cert.write_bytes(builder.sign(key, SHA256()).public_bytes(Encoding.PEM))
    write_key(files.key, key)
    return files


def write_key(path: Path, key: Key, password: bytes | None = None) -> None:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
