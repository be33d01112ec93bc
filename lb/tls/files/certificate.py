"""One certificate file and its key: the names it covers, its dates, what can be wrong with the two.

This file reads and checks files: both are read once, and what was checked is what is presented, however the files
change meanwhile. It does not know how a handshake picks a certificate or how many there are. Only the names in
subjectAltName count: clients have ignored the common name for years (RFC 9525 section 6.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from lb.config.model import CertificateFiles
from lb.config.names import wildcard_of
from lb.config.regular import read_regular


class TlsProblem(NamedTuple):
    """One file that cannot be used, and why."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class TlsError(Exception):
    """Certificates or keys that cannot be used: every problem that was found, in the order of the configuration."""

    def __init__(self, problems: Sequence[TlsProblem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that can be presented; its names are in lower case, IP addresses in their shortest form.

    `chain` and `key` are the files' contents, and `digest` is of both.
    """

    names: frozenset[str]
    not_before: datetime
    not_after: datetime
    path: Path
    key_path: Path
    key_type: str
    digest: bytes = b""
    chain: bytes = field(default=b"", repr=False, compare=False)
    key: bytes = field(default=b"", repr=False, compare=False)

    def __hash__(self) -> int:
        return hash(self.digest)

    def covers(self, host: str) -> bool:
        """Whether it is valid for `host`: lower case, without port; an IPv6 address with or without brackets.

        A wildcard covers exactly one label (RFC 9525 section 6.3).
        """
        host = _canonical(host)
        return host in self.names or wildcard_of(host) in self.names

    def warnings(self, now: datetime) -> tuple[str, ...]:
        """Problems that are legal but surprising: clients refuse a certificate outside its dates."""
        if now >= self.not_after:
            return (f"{self.path}: expired on {self.not_after:%Y-%m-%d %H:%M} UTC",)
        if now < self.not_before:
            return (f"{self.path}: not valid before {self.not_before:%Y-%m-%d %H:%M} UTC",)
        return ()


def load_certificate(files: CertificateFiles, known: Certificate | None = None) -> Certificate:
    """Read a PEM file (the server's own certificate first) and its key; returns `known` if the files still contain it.

    Raises TlsError if they cannot be used.
    """
    chain = _read(files.cert)
    key = chain if files.key == files.cert else _read(files.key)
    digest = _digest(chain, key)
    if known is not None and known.digest == digest:
        return known
    leaf = _leaf(files.cert, chain)
    key_type = _key_type(files, key, leaf)
    names = _names(leaf)
    if not names:
        raise _error(files.cert, "the certificate has no names (subjectAltName)")
    return Certificate(
        names,
        leaf.not_valid_before_utc,
        leaf.not_valid_after_utc,
        files.cert,
        files.key,
        key_type,
        digest,
        chain,
        key,
    )


def content_digest(files: CertificateFiles) -> bytes | None:
    """The `digest` that a certificate of these files would have, valid or not; None if one is missing."""
    try:
        return _digest(read_regular(files.cert), read_regular(files.key))
    except OSError:
        return None


def file_digest(path: Path) -> bytes | None:
    """The digest of one file's content; None if it cannot be read."""
    try:
        return sha256(read_regular(path)).digest()
    except OSError:
        return None


def _digest(chain: bytes, key: bytes) -> bytes:
    return sha256(b"%d:%b%b" % (len(chain), chain, key)).digest()


def utc_now() -> datetime:
    return datetime.now(UTC)


def _error(path: Path, reason: str) -> TlsError:
    return TlsError([TlsProblem(path, reason)])


def _read(path: Path) -> bytes:
    try:
        return read_regular(path)
    except OSError as error:
        raise _error(path, error.strerror or str(error)) from error


def _leaf(path: Path, data: bytes) -> x509.Certificate:
    try:
        chain = x509.load_pem_x509_certificates(data)
    except ValueError as error:
        raise _error(path, "not a certificate in PEM form") from error
    if len(chain) != data.count(b"-----BEGIN CERTIFICATE-----"):
        raise _error(path, "the file is truncated: a certificate in it has no end")
    leaf = chain[0]
    try:
        leaf.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _error(path, "a certificate for a kind of key that is not supported") from error
    return leaf


def _key_type(files: CertificateFiles, data: bytes, leaf: x509.Certificate) -> str:
    """The type of key, so that certificates with different types can be used side by side."""
    try:
        key = load_pem_private_key(data, password=None)
    except TypeError as error:
        raise _error(files.key, "the key is encrypted; a server needs it without a password") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _error(files.key, "not a private key in PEM form") from error
    if key.public_key() != leaf.public_key():
        raise _error(files.key, f"not the key of the first certificate in {files.cert}")
    return type(key).__name__


def _names(leaf: x509.Certificate) -> frozenset[str]:
    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return frozenset()
    dns = extension.value.get_values_for_type(x509.DNSName)
    addresses = extension.value.get_values_for_type(x509.IPAddress)
    return frozenset(name.lower().removesuffix(".") for name in dns) | frozenset(map(str, addresses))


def _canonical(host: str) -> str:
    """The host in the form of `names`: without a trailing dot, IPv6 addresses without brackets in shortest form."""
    if ":" in host:
        try:
            return str(ip_address(host.strip("[]")))
        except ValueError:
            return host
    return host.removesuffix(".")
