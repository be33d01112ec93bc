"""What certificate files hold, as far as it was read: a file is read anew only when it is another than it was.

With ten thousand certificates, reading and judging all of them takes seconds; a look at whether they changed does not.
Made before the first fork, so that every process begins with what was read before it.

This file knows files, when they were written and what was wrong with them. It does not know who wants which of them.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

from lb.config.model import CertificateFiles
from lb.tls.certificate import Certificate, TlsError, TlsProblem, load_certificate

_FINE = 2_000_000_000  # nanoseconds: times of files are no coarser anywhere


class _Read(NamedTuple):
    """`settled` says that the files cannot have been written again with the same stamp since they were read."""

    stamp: tuple[int, ...]
    settled: bool
    certificate: Certificate


class Shelf:
    """Certificates by where their chain and their key are."""

    def __init__(self) -> None:
        self._read: dict[tuple[str, str], _Read] = {}
        self._refused: dict[bytes, TlsProblem] = {}

    def read(self, cert: str, key: str) -> Certificate:
        """What these files hold now: the same object as before if it is the same. Raises TlsError if they cannot
        serve.
        """
        place = cert, key
        known = self._read.get(place)
        now = time.time_ns()
        stamp = _stamp(cert) if cert == key else _stamp(cert) + _stamp(key)
        if known is None or not known.settled or known.stamp != stamp or not stamp:
            before = None if known is None else known.certificate
            found = load_certificate(CertificateFiles(cert=Path(cert), key=Path(key)), before)
            known = self._read[place] = _Read(stamp, now - max(stamp, default=now) > _FINE, found)
        problem = self._refused.get(known.certificate.digest)
        if problem is not None:
            raise TlsError([problem])
        return known.certificate

    def refuse(self, certificate: Certificate, problem: TlsProblem) -> bool:
        """What is wrong with it is found only by OpenSSL: this content cannot be used from now on. Returns whether
        that is new.
        """
        is_new = certificate.digest not in self._refused
        self._refused[certificate.digest] = problem
        return is_new

    def refuses(self, certificate: Certificate) -> bool:
        """Whether that was said of its content."""
        return certificate.digest in self._refused


def _stamp(path: str) -> tuple[int, ...]:
    """Another one whenever the file is written or replaced, whatever time it is given; empty if it cannot be seen."""
    try:
        found = os.stat(path)  # noqa: PTH116  ten thousand times, where a Path would double the cost
    except OSError:
        return ()
    return found.st_ctime_ns, found.st_mtime_ns, found.st_ino, found.st_size
