"""A self-signed certificate for trying things out on this machine: made once, kept, made anew when it no longer fits.

This file knows how such a certificate is made and stored. It does not know who serves it. Nobody's trust store is
touched: a browser asks once, and `curl --cacert` takes the file as it is.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lb.config.model import CertificateFiles
from lb.tls.certificate import TlsError, load_certificate, utc_now

_ALWAYS = ("localhost", "127.0.0.1", "::1")
_LIFETIME = timedelta(days=365)
_SPARE = timedelta(days=1)


def ensure_certificate(directory: Path, names: Sequence[str]) -> CertificateFiles:
    """The certificate in `directory` for these names, localhost and the loopback addresses; made if absent, expired or
    for others.

    Raises OSError when the directory cannot be written to.
    """
    files = CertificateFiles(cert=directory / "localhost.pem", key=directory / "localhost.key")
    wanted = frozenset(name.lower() for name in (*_ALWAYS, *names))
    directory.mkdir(parents=True, exist_ok=True)
    with locked(directory):
        if not _fits(files, wanted):
            key, certificate = _make(sorted(wanted))
            _write(files.key, key, 0o600)
            _write(files.cert, certificate, 0o644)
    return files


def _fits(files: CertificateFiles, wanted: frozenset[str]) -> bool:
    """A pair of files that do not belong together, as a crash between two writes leaves them, fits nothing."""
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


def _write(path: Path, data: bytes, mode: int) -> None:
    """Put `data` in place at once; at no time is the file readable by more than `mode` says."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)  # of a process that died here; the lock says that none is at it now
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor has no path
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Two processes that start at once must not leave one's key beside the other's certificate."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
