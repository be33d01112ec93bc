"""TLS between bytes and bytes, by Python's own `ssl.MemoryBIO`: for where OpenSSL cannot be reached directly.

Slower than the direct way by a few copies, and the same in every other respect. Knows no socket.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import Literal, Protocol

_READ = 65536


class Certificate(Protocol):
    """What a connection presents: `lb.tls.certificate.Certificate`."""

    def covers(self, host: str) -> bool: ...


class ServerTls(Protocol):
    """The server side of a connection: `lb.tls.settings.ServerConnection`."""

    certificate: Certificate | None
    client_auth: bytes | None

    def getpeercert(self, binary_form: Literal[True]) -> bytes | None: ...


class Terminator(Protocol):
    """What makes the server side of a TLS connection: `lb.tls.contexts.Contexts`."""

    def wrap(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> ssl.SSLObject: ...


class MemoryTls:
    """One TLS connection, server side."""

    __slots__ = ("_in", "_out", "ended", "established", "failed", "tls")

    def __init__(self, contexts: Terminator) -> None:
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self.tls = contexts.wrap(self._in, self._out)
        self.established = False
        self.ended = False
        self.failed = False

    def feed(self, cipher: bytes) -> bytes:
        """What the peer said, given the bytes that came; empty bytes are the end of the stream."""
        if cipher:
            self._in.write(cipher)
        else:
            self._in.write_eof()
        plain = []
        try:
            if not self.established:
                self.tls.do_handshake()
                self.established = True
            while True:
                piece = self.tls.read(_READ)
                if not piece:
                    self.ended = True
                    break
                plain.append(piece)
        except ssl.SSLWantReadError:
            pass
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            self.ended = True
        except ssl.SSLError:
            self.failed = True
        return b"".join(plain)

    def encrypt(self, plain: bytes) -> bytes:
        """The records that carry `plain`."""
        sent = 0
        view = memoryview(plain)
        while sent < len(plain):
            sent += self.tls.write(view[sent:])
        return self.outgoing()

    def outgoing(self) -> bytes:
        """Bytes that wait to be sent: of a handshake, an alert, or what `encrypt` left."""
        return self._out.read()

    def shutdown(self) -> bytes:
        """The close_notify alert."""
        with contextlib.suppress(ssl.SSLError):  # the peer has not said its own yet; nobody waits for it
            self.tls.unwrap()
        return self.outgoing()
