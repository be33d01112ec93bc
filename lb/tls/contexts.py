"""TLS contexts by server name: which certificate a handshake presents, and with which settings it runs.

This file knows contexts, server names and handshake settings. It does not know sockets, connections or what is behind a
name.

All contexts are made in the parent, before it forks: session-ticket keys belong to a context, so a session that one
worker began resumes in any other. Every connection starts in the first context, and the keys of that one make and read
its tickets, whatever certificate the server name then selects.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from typing import Any

from lb.config.model import CertificateFiles
from lb.tls.certificate import Certificate, TlsError, TlsProblem, load_certificate, utc_now, wildcard_of

# Mozilla's "intermediate" suites for TLS 1.2: forward secrecy and AEAD only. TLS 1.3's three are OpenSSL's own choice.
_CIPHERS = (
    "@SECLEVEL=2"
    ":ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
    ":ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
    ":ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
_OPTIONS = ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_IGNORE_UNEXPECTED_EOF


class ServerConnection(ssl.SSLObject):
    """A server's side of a TLS connection; `certificate` is what it presents, None while no server name was sent."""

    certificate: Certificate | None = None


class Contexts:
    """The contexts of all certificates, found by server name.

    Certificates with the same names and different kinds of key (RSA and ECDSA) share a context, and OpenSSL presents
    the one that the client can use. Where two certificates cover a name, the first one in the configuration has it.
    Raises TlsError with every problem of every file; `warnings` are about what is legal but surprising.
    """

    def __init__(self, certificates: Iterable[CertificateFiles]) -> None:
        loaded = _load(certificates)
        groups = _group(loaded)
        presented = [certificate for group in groups for certificate in group]
        self.warnings = (
            *(text for certificate in presented for text in certificate.warnings(utc_now())),
            *(
                f"{certificate.path}: never presented: an earlier certificate has the same names and kind of key"
                for certificate in loaded
                if certificate not in presented
            ),
        )
        self._by_name: dict[str, tuple[ssl.SSLContext, Certificate]] = {}
        entries = [(_context(group), group[0]) for group in groups]
        for entry in entries:
            for name in entry[1].names:
                self._by_name.setdefault(name, entry)
        self.default: ssl.SSLContext = entries[0][0]
        self.default.sni_callback = self._select
        self._wrap: Callable[..., Any] = self.default.wrap_bio

    def wrap(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> ServerConnection:
        """The server's side of a new connection that reads from `incoming` and writes to `outgoing`."""
        connection: ServerConnection = self._wrap(incoming, outgoing, server_side=True)
        return connection

    def find(self, name: str) -> tuple[ssl.SSLContext, Certificate] | None:
        """The context and certificate for a server name in any case, exact before wildcard; None if none covers it."""
        name = name.lower().removesuffix(".")
        by_name = self._by_name
        return by_name.get(name) or by_name.get(wildcard_of(name))

    def _select(self, connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        """OpenSSL's question during the handshake; it must not raise, and nothing in it can."""
        if name is None:
            return None
        found = self.find(name)
        if found is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context, connection.certificate = found  # type: ignore[union-attr]
        return None


def _load(files: Iterable[CertificateFiles]) -> list[Certificate]:
    certificates: list[Certificate] = []
    problems: list[TlsProblem] = []
    for pair in files:
        try:
            certificates.append(load_certificate(pair))
        except TlsError as error:
            problems += error.problems
    if problems:
        raise TlsError(problems)
    if not certificates:
        raise ValueError("TLS needs at least one certificate")
    return certificates


def _group(certificates: list[Certificate]) -> list[list[Certificate]]:
    """Certificates for the same names put together, one of each kind of key, in the order of the configuration."""
    groups: dict[frozenset[str], list[Certificate]] = {}
    for certificate in certificates:
        group = groups.setdefault(certificate.names, [])
        if certificate.key_type not in {other.key_type for other in group}:
            group.append(certificate)
    return list(groups.values())


def _context(group: list[Certificate]) -> ssl.SSLContext:
    """A context for these certificates, the same for all but for them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslobject_class = ServerConnection
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= _OPTIONS
    # All suites are good, and the client knows which one its hardware is fast at.
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 1
    # The key-exchange groups stay OpenSSL's own: `set_ecdh_curve` would switch the post-quantum ones off.
    context.set_alpn_protocols(["http/1.1"])
    for certificate in group:
        try:
            context.load_cert_chain(certificate.path, certificate.key_path)
        except OSError as error:
            reason = str(getattr(error, "reason", None) or error.strerror).lower().replace("_", " ")
            raise TlsError([TlsProblem(certificate.path, f"OpenSSL refuses it: {reason}")]) from error
    return context
