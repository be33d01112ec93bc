"""Which client certificates a domain accepts: the certificates of authorities in one PEM file.

This file reads and checks such files. It does not know which clients are asked, or when.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from lb.config.regular import read_regular
from lb.tls.files.certificate import TlsError, TlsProblem


@dataclass(frozen=True, slots=True)
class ClientAuth:
    """A domain, as it is bound, whose clients are asked for a certificate; without one they fail if `required`."""

    domain: str
    file: Path
    required: bool


@dataclass(frozen=True, slots=True)
class Authority:
    """The content of one file of authorities."""

    path: Path
    digest: bytes
    pem: bytes = field(repr=False, compare=False)
    der: bytes = field(repr=False, compare=False)

    def session_context(self, auth: ClientAuth) -> bytes:
        """32 bytes: a session of a client that was verified for another domain never resumes for this one."""
        return sha256(b"%b %d %b" % (self.digest, auth.required, auth.domain.encode())).digest()


def load_authority(path: Path, known: Authority | None = None) -> Authority:
    """Read a file of authorities; returns `known` if the file still contains it. Raises TlsError."""
    try:
        pem = read_regular(path)
    except OSError as error:
        raise TlsError([TlsProblem(path, error.strerror or str(error))]) from error
    digest = sha256(pem).digest()
    if known is not None and known.digest == digest:
        return known
    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise TlsError([TlsProblem(path, "not a certificate in PEM form")]) from error
    if len(certificates) != pem.count(b"-----BEGIN CERTIFICATE-----"):
        raise TlsError([TlsProblem(path, "the file is truncated: a certificate in it has no end")])
    return Authority(path, digest, pem, b"".join(one.public_bytes(Encoding.DER) for one in certificates))


ClientAuths = Mapping[str, ClientAuth | None]
"""By bound domain; None for a domain without client certificates under a wildcard with them."""
