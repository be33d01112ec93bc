"""One self-signed ECDSA P-256 certificate for `localhost`, the same for every proxy of a run.

ECDSA, because its handshakes cost a third to a half of RSA's and it is what certificate authorities issue today.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "localhost"


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files: the certificate, its key, and both in one (which HAProxy needs)."""

    cert: Path
    key: Path
    both: Path


def make_certificate(directory: Path) -> Certificate:
    """Write a certificate for HOST that is valid for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = signed.public_bytes(serialization.Encoding.PEM)
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    made = Certificate(directory / "bench.pem", directory / "bench.key", directory / "bench.both.pem")
    made.cert.write_bytes(pem)
    for path, content in ((made.key, key_pem), (made.both, pem + key_pem)):
        path.touch(mode=0o600)
        path.write_bytes(content)
    return made
