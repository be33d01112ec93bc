"""The certificates that answer TLS-ALPN-01 (RFC 8737): read from a directory when an authority asks for one.

This file knows where they are and how such a handshake is answered. It does not know what put them there. The name
comes from anyone on the internet, so it is matched whole before it names a file.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from lb.config.model import CertificateFiles
from lb.tls.files.certificate import TlsError, load_certificate
from lb.tls.handshake.lazy_context import LazyContext
from lb.tls.handshake.sni_map import SniEntry

_NAME = re.compile(r"[a-z0-9_-][a-z0-9._-]{0,252}", re.ASCII)
_PROTOCOLS = ("acme-tls/1",)


def challenge_entry(directory: Path, name: str) -> SniEntry | None:
    """The proof for an authority that `name` is ours: NAME.alpn, key and certificate in one file; None without one.

    Nothing is served over such a connection: its certificate covers no name, so every request gets 421.
    """
    name = name.lower().removesuffix(".")
    if _NAME.fullmatch(name) is None or ".." in name:
        return None
    path = directory / f"{name}.alpn"
    if not path.is_file():
        return None
    try:
        certificate = load_certificate(CertificateFiles(cert=path, key=path))
        late = LazyContext((certificate,))
        late.make()
    except (TlsError, OSError):
        return None
    return SniEntry(late, replace(certificate, names=frozenset()), protocols=_PROTOCOLS)
