"""A self-signed certificate for experiments on this machine: made once, kept, renewed when it no longer fits.

This file knows how such a certificate is made and stored. It does not know what serves it. No trust store is touched: a
browser asks once, and `curl --cacert` takes the file as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lb.config.model import CertificateFiles
from lb.tls.files.atomic_write import remove_halves, write_file
from lb.tls.files.certificate import TlsError, load_certificate, utc_now
from lb.tls.files.locking import locked

_ALWAYS = ("localhost", "127.0.0.1", "::1")
_LIFETIME = timedelta(days=365)
_SPARE = timedelta(days=1)


def ensure_certificate(directory: Path, names: Sequence[str]) -> CertificateFiles:
    """The certificate in `directory` for these names, localhost and the loopback addresses; made if absent, expired or
    for others.

    Raises OSError if the directory is not writable.
    """
    files = CertificateFiles(cert=directory / "localhost.pem", key=directory / "localhost.key")
    wanted = frozenset(name.lower() for name in (*_ALWAYS, *names))
    directory.mkdir(0o700, parents=True, exist_ok=True)
    with locked(directory):  # one process's key must not stand beside another's certificate
        if not _fits(files, wanted):
            remove_halves(directory)
            key, certificate = _make(sorted(wanted))
            write_file(files.key, key, 0o600)
            write_file(files.cert, certificate, 0o644)
    return files


def _fits(files: CertificateFiles, wanted: frozenset[str]) -> bool:
    """Files that do not match, as a crash between two writes leaves them, fit nothing."""
    try:
        certificate = load_certificate(files)
    except TlsError:
        return False
    return certificate.names == wanted and certificate.not_after - utc_now() > _SPARE


def _make(names: Sequence[str]) -> tuple[bytes, bytes]:
    """A new ECDSA P-256 key and its certificate, in PEM form."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lb local certificate")])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    now = utc_now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clocks of virtual machines lag
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .sign(key, SHA256())
    )
    return (
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        certificate.public_bytes(Encoding.PEM),
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
