"""A context that is made when the first handshake needs it.

Loading a key and a chain costs OpenSSL 4 ms, and 24 KiB: with ten thousand certificates, a start does not wait for
those that are never used. It is kept after that, so that later handshakes cost nothing more.

This file knows what the context will present. It does not know names, or clients.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from lb.tls.handshake.context_options import HTTP1, certificate_context

if TYPE_CHECKING:
    from lb.tls.files.certificate import Certificate
    from lb.tls.files.client_ca import Authority


class LazyContext:
    """`context` presents whichever of `certificates` a client supports, and accepts clients that `authority` has
    certified; None until it was made.
    """

    __slots__ = ("__weakref__", "_protocols", "authority", "certificates", "context")

    def __init__(self, certificates: tuple[Certificate, ...], authority: Authority | None = None) -> None:
        self.certificates = certificates
        self.authority = authority
        self.context: ssl.SSLContext | None = None
        self._protocols: tuple[str, ...] = HTTP1

    def make(self) -> ssl.SSLContext:
        """Raises TlsError for a certificate that OpenSSL refuses, OSError if memory or descriptors are lacking at the
        moment.
        """
        if self.context is None:
            self.context = certificate_context(self.certificates, self.authority)
            self._protocols = HTTP1
        return self.context

    def offer(self, protocols: tuple[str, ...]) -> None:
        """Let connections choose among these protocols (ALPN), from the present handshake on."""
        if protocols != self._protocols and self.context is not None:
            self.context.set_alpn_protocols(protocols)
            self._protocols = protocols

    def forget(self) -> None:
        """Connections that began with it keep it; the next handshake makes another."""
        self.context = None
