"""TLS in memory, by Python's own `ssl.MemoryBIO`: for where OpenSSL cannot be reached directly.

Slower than the direct way by a few copies, and otherwise the same. Knows no socket.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import Literal, Protocol

from lb.proxy.io.tls_records import RecordCounter

_READ = 65536

REFUSAL = bytes((21, 3, 3, 0, 2, 2, 112))
"""The fatal alert unrecognized_name as a server's first record: in plain text (RFC 8446 section 5.1)."""


class PresentedCertificate(Protocol):
    """What a connection presents: `lb.tls.files.certificate.Certificate`."""

    def covers(self, host: str) -> bool: ...


class ServerTls(Protocol):
    """The server side of a connection: `lb.tls.handshake.context_options.ServerConnection`."""

    certificate: PresentedCertificate | None
    client_auth: bytes | None

    def getpeercert(self, binary_form: Literal[True]) -> bytes | None: ...


class Terminator(Protocol):
    """Makes our side of a TLS connection: `lb.tls.handshake.contexts.Contexts`, or `lb.routing.instance_tls`."""

    def wrap(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> ssl.SSLObject: ...


class MemoryTls:
    """One TLS connection, on either side. `held` says that its handshake is paused because the client hello callback
    asked for that; `waits` that more has arrived than one turn takes. `failure` is why it `failed`: what is wrong with
    the peer's certificate, and the reason; either may be empty.
    """

    __slots__ = (
        "_cipher",
        "_in",
        "_out",
        "_records",
        "ended",
        "established",
        "failed",
        "failure",
        "held",
        "tls",
        "waits",
    )

    def __init__(self, contexts: Terminator) -> None:
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self.tls = contexts.wrap(self._in, self._out)
        self._cipher = b""  # arrived, and not passed to OpenSSL yet
        self._records = RecordCounter()
        self.waits = False
        self.established = False
        self.ended = False
        self.failed = False
        self.failure = ("", "")
        self.held = False

    @property
    def barren(self) -> int:
        """Records without data that data has not made up for."""
        return self._records.barren

    def feed(self, cipher: bytes, most: int) -> bytes:
        """Decrypt the bytes that came; empty bytes are the end of the stream. Nothing is fed while it `waits`, and at
        most `most` bytes are taken.
        """
        if not cipher:
            self._in.write_eof()
            return self._step()
        self._cipher += cipher
        return self.go_on(most)

    def go_on(self, most: int) -> bytes:
        """Go on with what has arrived, or with a handshake that was held."""
        if self._cipher:
            admitted = self._records.admit(self._cipher, most)
            self._in.write(memoryview(self._cipher)[:admitted])
            self._cipher = self._cipher[admitted:]
            self.waits = self._records.goes_on(self._cipher)
        return self._step()

    def _step(self) -> bytes:
        self.held = False
        plain = []
        try:
            if not self.established:
                self.tls.do_handshake()
                self.established = True
                self._records.barren = 0
            while True:
                piece = self.tls.read(_READ)
                if not piece:
                    self.ended = True
                    break
                plain.append(piece)
                self._records.has_read(len(piece))
        except ssl.SSLWantReadError:
            pass
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            self.ended = True
        except ssl.SSLError as error:
            # SSL_ERROR_WANT_CLIENT_HELLO_CB has no name in `ssl`; it is the only unknown one during a handshake.
            self.held = error.errno == ssl.SSL_ERROR_INVALID_ERROR_CODE and not self.established
            self.failed = not self.held
            verdict = str(getattr(error, "verify_message", "") or "")
            self.failure = (verdict, (error.reason or "").lower().replace("_", " "))
        return b"".join(plain)

    def encrypt(self, plain: bytes) -> bytes:
        """The records that carry `plain`."""
        sent = 0
        view = memoryview(plain)
        while sent < len(plain):
            sent += self.tls.write(view[sent:])
        return self.outgoing()

    def outgoing(self) -> bytes:
        """Bytes to be sent: of a handshake, an alert, or what `encrypt` left."""
        return self._out.read()

    def shutdown(self) -> bytes:
        """The close_notify alert."""
        with contextlib.suppress(ssl.SSLError):  # the peer has not sent its own yet; we do not wait for it
            self.tls.unwrap()
        return self.outgoing()
