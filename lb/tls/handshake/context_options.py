"""The settings of every handshake: versions, suites, groups, options; the same for all contexts, whatever is in them.

This file knows `ssl.SSLContext`. It does not know which context a connection gets.
"""

from __future__ import annotations

import errno
import os
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from tempfile import NamedTemporaryFile

from lb.tls.files.certificate import Certificate, TlsError, TlsProblem
from lb.tls.files.client_ca import Authority
from lb.tls.handshake.openssl import context_pointer, reach

# Mozilla's "intermediate" suites: forward secrecy and AEAD only. AES-128 comes first: as good, and it costs less.
_CIPHERS = (
    "@SECLEVEL=2"
    ":ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
    ":ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
    ":ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
# The same profile's groups, after the post-quantum hybrid (OpenSSL from 3.5): a client that supports it has to use it.
_GROUPS = (b"X25519MLKEM768 / X25519:P-256 / P-384", b"X25519:P-256:P-384")
_SUITES = b"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"  # of TLS 1.3
_SET_GROUPS_LIST = 92  # SSL_CTRL_SET_GROUPS_LIST
_PRIORITIZE_CHACHA = 1 << 21  # SSL_OP_PRIORITIZE_CHACHA: our order, unless the client puts that one first
_OPTIONS = (
    ssl.OP_NO_COMPRESSION
    | ssl.OP_NO_RENEGOTIATION
    | ssl.OP_IGNORE_UNEXPECTED_EOF
    | ssl.OP_CIPHER_SERVER_PREFERENCE
    | _PRIORITIZE_CHACHA
)
_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # they say nothing about the certificate


HTTP1 = ("http/1.1",)
"""The protocols that a new context offers."""


class ServerConnection(ssl.SSLObject):
    """A server's side of a TLS connection; `certificate` is what it presents, None until a server name was sent.

    `client_auth` is the domain, as it is bound, whose clients have to show a certificate, and for which this one's was
    requested; None if none was requested.
    """

    certificate: Certificate | None = None
    client_auth: bytes | None = None


def new_context() -> ssl.SSLContext:
    """A server's context without a certificate yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslobject_class = ServerConnection
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= _OPTIONS
    context.num_tickets = 1
    context.set_alpn_protocols(HTTP1)
    _refine(context)
    return context


def _refine(context: ssl.SSLContext) -> None:
    """Settings that Python's `ssl` lacks: it sets one group only (`set_ecdh_curve`), and no suites of TLS 1.3.

    If OpenSSL cannot be reached, its own choice stays: more groups, the post-quantum one among them.
    """
    openssl = reach()
    if openssl is not None:
        any(openssl.ctrl(context, _SET_GROUPS_LIST, 0, groups) == 1 for groups in _GROUPS)
        openssl.SSL_CTX_set_ciphersuites(context_pointer(context), _SUITES)


def certificate_context(certificates: Iterable[Certificate], authority: Authority | None = None) -> ssl.SSLContext:
    """A context that presents whichever of these the client supports, and accepts client certificates from `authority`.

    Raises TlsError for a certificate that OpenSSL refuses, OSError if memory or descriptors are lacking now.
    """
    context = new_context()
    for certificate in certificates:
        try:
            with _as_file(certificate.chain) as chain, _as_file(certificate.key) as key:
                context.load_cert_chain(chain, key)
        except OSError as error:
            if error.errno in _SHORTAGES and not isinstance(error, ssl.SSLError):
                raise
            raise TlsError([TlsProblem(certificate.path, f"OpenSSL refuses it: {_reason(error)}")]) from error
    if authority is not None:
        _believe(context, authority)
    return context


def _believe(context: ssl.SSLContext, authority: Authority) -> None:
    try:
        context.load_verify_locations(cadata=authority.der)
    except OSError as error:
        raise TlsError([TlsProblem(authority.path, f"OpenSSL refuses it: {_reason(error)}")]) from error
    openssl = reach()
    if openssl is None:
        raise TlsError(
            [TlsProblem(authority.path, "clients cannot be asked for certificates: OpenSSL cannot be reached")]
        )
    with _as_file(authority.pem) as path:  # browsers offer only certificates that one of these has signed
        openssl.SSL_CTX_set_client_CA_list(context_pointer(context), openssl.SSL_load_client_CA_file(path.encode()))


def _reason(error: OSError) -> str:
    return str(getattr(error, "reason", None) or error.strerror).lower().replace("_", " ")


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """The path of a file with this content, for `load_cert_chain`: what was checked is loaded, whatever is on disk now.

    In memory if the system supports that: a key is never written to a disk.
    """
    if hasattr(os, "memfd_create"):
        with open(os.memfd_create("pem"), "wb", buffering=0) as file:  # noqa: PTH123  a descriptor has no path
            file.write(content)
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with NamedTemporaryFile() as file:  # only the owner may read it
            file.write(content)
            file.flush()
            yield file.name
