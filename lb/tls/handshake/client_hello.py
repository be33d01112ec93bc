"""What a client sends first: its server name and protocols, before anything of the handshake is decided.

Python's `ssl` asks for a context when session resumption is already decided, and does not tell which protocols were
offered. OpenSSL asks earlier. A call into Python costs a handshake a few microseconds, so it is made only if something
needs it. This file knows the two extensions' bytes; what follows from them is known elsewhere.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from ctypes import byref, c_int, c_size_t, c_void_p, string_at

from lb.tls.handshake.openssl import HelloCallback, OpenSsl, context_pointer, reach
from lb.tls.handshake.server_name import is_name, server_name

_SERVER_NAME, _ALPN = 0, 16  # extensions: RFC 6066 section 3, RFC 7301 section 3.1
_OPTIONAL, _REQUIRED = 1, 3  # SSL_VERIFY_PEER, and with SSL_VERIFY_FAIL_IF_NO_PEER_CERT
_GO_ON, _HOLD, _REFUSE = 1, -1, 0  # SSL_CLIENT_HELLO_SUCCESS, _RETRY, _ERROR
_LONGEST = 255  # bytes of a name, as for OpenSSL, which checks later

ACME_ONLY = b"\x00\x0b\x0aacme-tls/1"
"""The protocol list of a client that validates by TLS-ALPN-01 (RFC 8737 section 4): this one and no other."""

OnHello = Callable[[int, str | None, bytes], bool]
"""Gets the SSL, the server name and the list of protocols as it came, and returns whether to hold the handshake: when
it goes on, this is called again. Must not raise. An invalid name is None.
"""


class ClientHellos:
    """The client hellos of all connections that begin in one context. `refused` is called for an invalid server name,
    too long or not ASCII: its handshake ends here.
    """

    def __init__(self, context: ssl.SSLContext, on_hello: OnHello, refused: Callable[[], object] = bool) -> None:
        self._openssl = reach()
        self._context = context
        self._on_hello = on_hello
        self._refused = refused
        self._asked = HelloCallback(self._heard)
        self._place, self._size = c_void_p(), c_size_t()
        self._sought = 0  # size of the only relevant list of protocols; 0: any

    @property
    def can_listen(self) -> bool:
        """False if OpenSSL cannot be reached."""
        return self._openssl is not None

    def listen(self, wanted: bool, protocols: bytes = b"") -> None:
        """Start or stop listening, from the next handshake on. If only one list of `protocols` is relevant, clients
        that cannot have sent it are reported without name and protocols: reading these is most of the cost.
        """
        self._sought = len(protocols)
        if self._openssl is not None:
            asked = self._asked if wanted else None
            self._openssl.SSL_CTX_set_client_hello_cb(context_pointer(self._context), asked, None)

    def ask_for_certificate(self, connection: int, required: bool, session_context: bytes) -> None:
        """Ask this connection's client for a certificate. A session resumes only if it was asked in the same way, which
        `session_context`, 32 bytes, identifies.
        """
        openssl = self._openssl
        if openssl is not None:
            openssl.SSL_set_verify(connection, _REQUIRED if required else _OPTIONAL, None)
            openssl.SSL_set_session_id_context(connection, session_context, len(session_context))

    def _heard(self, connection: int, alert: int, _argument: int) -> int:
        openssl = self._openssl
        if openssl is not None:
            if self._sought and not self._is_sought(openssl, connection):
                self._on_hello(connection, None, b"")
                return _GO_ON
            name = _sent_name(self._extension(openssl, connection, _SERVER_NAME))
            if len(name) > _LONGEST or not name.isascii():
                self._refused()
                c_int.from_address(alert).value = ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
                return _REFUSE
            if self._on_hello(connection, _host_name(name), self._extension(openssl, connection, _ALPN)):
                return _HOLD
        return _GO_ON

    def _is_sought(self, openssl: OpenSsl, connection: int) -> bool:
        there = openssl.SSL_client_hello_get0_ext(connection, _ALPN, byref(self._place), byref(self._size))
        return bool(there == 1 and self._size.value == self._sought)

    def _extension(self, openssl: OpenSsl, connection: int, number: int) -> bytes:
        if openssl.SSL_client_hello_get0_ext(connection, number, byref(self._place), byref(self._size)) != 1:
            return b""
        return string_at(self._place.value or 0, self._size.value)


def _sent_name(extension: bytes) -> bytes:
    """Parse a server_name extension: a list's length, a type (0), the name's length, the name; b"" if there is none."""
    if len(extension) < 6 or extension[2] != 0:
        return b""
    return extension[5 : 5 + int.from_bytes(extension[3:5], "big")]


def _host_name(sent: bytes) -> str | None:
    """The name, in the form for comparisons; None for an invalid one, which must not be stored."""
    name = server_name(sent.decode("ascii", "replace"))
    return name if is_name(name) else None
