"""What renewal needs to know of a certificate that we hold: its names, its dates, its identifier at the CA.

This file reads PEM. It does not know where it comes from or when it is to be renewed.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from lb.config.regular import read_regular
from lb.tls.acme.jws import b64
from lb.tls.files.file_stamp import Stamp, is_settled, stamp_of


@dataclass(frozen=True, slots=True)
class CertificateInfo:
    """Dates are seconds since the epoch; `ari` identifies it to the CA (RFC 9773 section 4.1), "" if that fails."""

    names: frozenset[str]
    not_before: float
    not_after: float
    issuer: str
    serial: int
    ari: str
    key: str

    @property
    def lifetime(self) -> float:
        return self.not_after - self.not_before


class HeldFiles:
    """Reads the certificates in files with their keys repeatedly: only files written since are read again."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], tuple[list[Stamp], bool, CertificateInfo | None]] = {}

    def read(self, path: str, key: str | None = None) -> CertificateInfo | None:
        """None if it cannot be read, or if certificate and key do not match. `key` is the private key's file, if it is
        not the same one.
        """
        files = (path,) if key is None else (path, key)
        stamps = [stamp_of(file) for file in files]
        known = self._known.get(files)
        if known is None or not known[1] or known[0] != stamps:
            settled = all(stamps) and is_settled(*stamps)
            try:
                pem = [read_regular(file) for file in files]
            except OSError:
                return None
            known = self._known[files] = stamps, settled, parse_held(pem[0], pem[-1])
        return known[2]


def parse_held(pem: bytes, private: bytes | None = None) -> CertificateInfo | None:
    """The certificate in a file's content, None as above; `private` is the content of the key's file, if it has one."""
    try:
        leaf = x509.load_pem_x509_certificates(pem)[0]
        key = load_pem_private_key(pem if private is None else private, password=None)
        if key.public_key() != leaf.public_key():
            return None
        return held_of(leaf, type(key).__name__.removesuffix("PrivateKey"))
    except (ValueError, TypeError):
        return None


def clean_parts(key: bytes, chain: bytes) -> tuple[bytes, bytes]:
    """Key and chain, each in PEM form without anything else: files may hold both, and comments besides."""
    private = load_pem_private_key(key, password=None)
    certificates = x509.load_pem_x509_certificates(chain)
    return (
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        b"".join(one.public_bytes(Encoding.PEM) for one in certificates),
    )


def held_of(leaf: x509.Certificate, key: str) -> CertificateInfo:
    return CertificateInfo(
        _names(leaf),
        leaf.not_valid_before_utc.timestamp(),
        leaf.not_valid_after_utc.timestamp(),
        _issuer(leaf),
        leaf.serial_number,
        _ari(leaf),
        key,
    )


def _names(leaf: x509.Certificate) -> frozenset[str]:
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return frozenset()
    dns = (name.lower() for name in found.get_values_for_type(x509.DNSName))
    return frozenset(dns) | frozenset(map(str, found.get_values_for_type(x509.IPAddress)))


def _issuer(leaf: x509.Certificate) -> str:
    """The issuer's organization and common name, if it has them."""
    attributes = (x509.NameOID.ORGANIZATION_NAME, x509.NameOID.COMMON_NAME)
    found = (leaf.issuer.get_attributes_for_oid(oid) for oid in attributes)
    return " ".join(str(one[0].value) for one in found if one)


def _ari(leaf: x509.Certificate) -> str:
    """The key identifier of the issuer and the serial number's DER bytes, each in base64url."""
    try:
        authority = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except (x509.ExtensionNotFound, ValueError):
        return ""
    if authority is None:
        return ""
    number = leaf.serial_number
    return f"{b64(authority)}.{b64(number.to_bytes(number.bit_length() // 8 + 1, 'big'))}"
