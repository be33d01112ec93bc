"""A cache of certificate files: a file is read again only if it has changed.

With ten thousand certificates, reading and checking all of them takes seconds; finding out whether they changed does
not. Made before the first fork, so that every process begins with what was read before it.

This file knows files, when they were written and what was wrong with them. It does not know where they are used.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from lb.config.model import CertificateFiles
from lb.tls.files.certificate import Certificate, TlsError, TlsProblem, load_certificate
from lb.tls.files.file_stamp import Stamp, is_settled, stamp_of


class _Read(NamedTuple):
    """`settled` says that the files cannot have been written again with the same stamp since they were read."""

    stamps: tuple[Stamp, ...]
    settled: bool
    certificate: Certificate


class CertificateCache:
    """Certificates by the paths of their chain and key."""

    def __init__(self) -> None:
        self._read: dict[tuple[str, str], _Read] = {}
        self._refused: dict[bytes, TlsProblem] = {}

    def read(self, cert: str, key: str) -> Certificate:
        """What these files contain now: the same object as before if it is the same. Raises TlsError if they cannot be
        used.
        """
        found = self.parse(cert, key)
        problem = self._refused.get(found.digest)
        if problem is not None:
            raise TlsError([problem])
        return found

    def parse(self, cert: str, key: str) -> Certificate:
        """The same for callers that only need the files' contents, even if OpenSSL has refused them."""
        place = cert, key
        known = self._read.get(place)
        stamps = (stamp_of(cert),) if cert == key else (stamp_of(cert), stamp_of(key))
        if known is None or not known.settled or known.stamps != stamps:
            before = None if known is None else known.certificate
            settled = all(stamps) and is_settled(*stamps)
            found = load_certificate(CertificateFiles(cert=Path(cert), key=Path(key)), before)
            known = self._read[place] = _Read(stamps, settled, found)
        return known.certificate

    def refuse(self, certificate: Certificate, problem: TlsProblem) -> bool:
        """Only OpenSSL finds what is wrong with it: this content cannot be used from now on. Returns whether that is
        new.
        """
        is_new = certificate.digest not in self._refused
        self._refused[certificate.digest] = problem
        return is_new

    def refuses(self, certificate: Certificate) -> bool:
        """Whether its content was refused."""
        return certificate.digest in self._refused
