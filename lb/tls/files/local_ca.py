"""A certificate authority of this machine's own, for names that no public one can certify: made at first use, kept.

It certifies `localhost` and names under it, names under `.test`, and private addresses: its own certificate says so
(name constraints, RFC 5280 section 4.2.1.10), so trusting it means trusting it for nothing else. The certificates that
it signs are valid for a week, and are renewed in time when they are used.

This file knows how they are made and where they are. It does not know where the authority is trusted, or what serves
them.
"""

from __future__ import annotations

import getpass
import socket
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lb.config.model import CertificateFiles
from lb.config.names import LOCAL_NETWORKS, LOCAL_TOPS, wildcard_of
from lb.config.regular import read_regular
from lb.tls.files.atomic_write import remove_halves, write_file
from lb.tls.files.certificate import Certificate, TlsError, utc_now
from lb.tls.files.certificate_cache import CertificateCache
from lb.tls.files.locking import locked

SPARE = 3 * 86400.0
"""Seconds before its end at which a certificate is renewed."""

_ROOT_LIFETIME, _LIFETIME = timedelta(days=3650), timedelta(days=7)
_MOST_MORE = 100  # names under wildcards; each makes a handshake longer
_LAG = timedelta(hours=1)  # clocks of virtual machines lag


class LocalCa:
    """The authority whose files are in `store`/local: root.pem, which others may read, its key, and a certificate. What
    the `shelf` has of them is not parsed again.
    """

    def __init__(self, store: Path, shelf: CertificateCache | None = None) -> None:
        self._shelf = shelf or CertificateCache()
        self._directory = store / "local"
        self.root = self._directory / "root.pem"
        self._files = CertificateFiles(cert=self._directory / "local.pem", key=self._directory / "local.pem")

    @property
    def served(self) -> Path:
        """The file of the certificate that is presented, and its key; it need not exist."""
        return self._files.cert

    def certificate(
        self, names: Iterable[str], wildcards: Collection[str] = (), more: Collection[str] = ()
    ) -> CertificateFiles:
        """One certificate for all of these names, made if there is none, or it ends soon, or is for others; and the
        authority with it. It also covers `more`, and keeps each as long as one of the `wildcards` covers it.

        Raises OSError.
        """
        self._make_directory()
        with locked(self._directory):
            before = frozenset(name for name in self._names() if wildcard_of(name) in wildcards)
            wanted = frozenset((*names, *before))
            if len(before) < _MOST_MORE:
                wanted |= frozenset(more)
            if not self._fits(wanted):
                remove_halves(self._directory)
                self._make(sorted(wanted))
        return self._files

    def ensure_root(self) -> Path:
        """The file of the authority's own certificate, made if there is none. Raises OSError."""
        self._make_directory()
        with locked(self._directory):
            self._load_root()
        return self.root

    def _make_directory(self) -> None:
        """Only the owner may read it, or the store."""
        for directory in (self._directory.parent, self._directory):
            directory.mkdir(0o700, parents=True, exist_ok=True)

    def _read(self) -> Certificate:
        """Raises TlsError."""
        return self._shelf.parse(str(self._files.cert), str(self._files.key))

    def _names(self) -> frozenset[str]:
        try:
            return self._read().names
        except TlsError:
            return frozenset()

    def _fits(self, names: frozenset[str]) -> bool:
        try:
            certificate = self._read()
        except TlsError:
            return False
        root = self._read_root()
        if root is None or root[1].public_bytes(Encoding.PEM) not in certificate.chain:
            return False
        return certificate.names == names and (certificate.not_after - utc_now()).total_seconds() > SPARE

    def _make(self, names: Sequence[str]) -> None:
        root_key, root = self._load_root()
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lb local certificate")])
        ends = min(utc_now() + _LIFETIME, root.not_valid_after_utc)
        certificate = (
            _builder(subject, root.subject, key.public_key(), ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
            .sign(root_key, SHA256())
        )
        chain = certificate.public_bytes(Encoding.PEM) + root.public_bytes(Encoding.PEM)
        write_file(self._files.cert, _pem(key) + chain)

    def _load_root(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        return self._read_root() or self._make_root()

    def _read_root(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate] | None:
        """None if there is none that can sign: a root that ends sooner than what it signs is made anew."""
        try:
            key = load_pem_private_key(read_regular(self._key_path), None)
            root = x509.load_pem_x509_certificate(read_regular(self.root))
        except (OSError, ValueError, TypeError):
            return None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != root.public_key():
            return None
        return (key, root) if root.not_valid_after_utc - utc_now() > _LIFETIME else None

    def _make_root(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"lb local authority, {_whose()}"[:64])])
        permitted = [*map(x509.DNSName, LOCAL_TOPS), *map(x509.IPAddress, LOCAL_NETWORKS)]
        root = (
            _builder(name, name, key.public_key(), utc_now() + _ROOT_LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_SIGNS, critical=True)
            .add_extension(x509.NameConstraints(permitted, None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, SHA256())
        )
        write_file(self._key_path, _pem(key))
        write_file(self.root, root.public_bytes(Encoding.PEM), 0o644)
        return key, root

    @property
    def _key_path(self) -> Path:
        return self._directory / "root.key"


_SIGNS = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(utc_now() - _LAG)
        .not_valid_after(ends)
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _general_name(name: str) -> x509.GeneralName:
    try:
        address: IPv4Address | IPv6Address = ip_address(name)
    except ValueError:
        return x509.DNSName(name)
    return x509.IPAddress(address)


def _whose() -> str:
    """Who made it, to recognise it among hundreds."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError):  # a user without a name, as in containers
        return socket.gethostname()
