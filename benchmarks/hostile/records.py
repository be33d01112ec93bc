"""TLS records without data, in any number: a client may send them for ever.

Key updates of TLS 1.3 are made by OpenSSL, whose function for them is called in the library that `_ssl` has loaded.
Client hellos of TLS 1.2 that ask for another handshake are encrypted here, with the keys that OpenSSL logs. It does not
know how the front door reacts.
"""

from __future__ import annotations

import _ssl
import ctypes
import hmac
import socket
import ssl
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_HANDSHAKE, _DATA = 22, 23
_HELLO = b"\x01\x00\x00\x00"  # an empty client hello: its content is not read
_BUFFER = 65536


class Conversation:
    """A client's side of TLS after its handshake, with control over what it sends."""

    def __init__(self, port: int, host: str, version: ssl.TLSVersion, *, receive_buffer: int = 0) -> None:
        """Connects to 127.0.0.1 and completes the handshake; with a small `receive_buffer`, in bytes, each answer waits
        for the one before. Raises OSError.
        """
        self.sock = socket.socket()
        self.sock.settimeout(10)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            self.sock.connect(("127.0.0.1", port))
        except BaseException:
            self.sock.close()
            raise
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        context.set_ciphers("ECDHE+AESGCM")
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._first = b""
        with tempfile.TemporaryDirectory() as directory:
            log = Path(directory) / "keys"
            context.keylog_filename = str(log)
            self.tls = context.wrap_bio(self._in, self._out, server_hostname=host)
            try:
                self._shake()
            except BaseException:
                self.sock.close()
                raise
            self._secrets = [line.split() for line in log.read_text().splitlines() if line.startswith("CLIENT_RANDOM")]

    def _shake(self) -> None:
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.sock.sendall(self._out.read())
                said = self.sock.recv(_BUFFER)
                self._first = self._first or said
                if said:
                    self._in.write(said)
                else:
                    self._in.write_eof()
            else:
                self.sock.sendall(self._out.read())
                return

    def records(self, plain: bytes) -> bytes:
        """Data, encrypted."""
        self.tls.write(plain)
        return self._out.read()

    def read(self) -> bytes:
        """Data that has arrived, decrypted; empty if there is none within the socket's timeout. Raises OSError."""
        self._in.write(self.sock.recv(_BUFFER))
        with suppress(ssl.SSLWantReadError):
            return self.tls.read(_BUFFER)
        return b""

    def key_updates(self, count: int, *, asking: bool = False) -> bytes:
        """So many of them; data sent after them has the last key. `asking`: each asks for one in return."""
        update_keys(self.tls, count, asking=asking)
        return self._out.read()

    def hellos(self, count: int) -> bytes:
        """So many client hellos, of TLS 1.2 and before anything else was sent."""
        return self.sealed([(_HANDSHAKE, _HELLO)] * count)

    def hellos_with_data(self, first: bytes, groups: int, count: int) -> bytes:
        """Data, and so many groups of hellos with a byte of data behind each group; otherwise as `hellos`."""
        group = [(_HANDSHAKE, _HELLO)] * count + [(_DATA, b"x")]
        return self.sealed([(_DATA, first), *group * groups])

    def sealed(self, records: Sequence[tuple[int, bytes]]) -> bytes:
        """These records, type and content, encrypted for TLS 1.2 as the first behind the handshake."""
        cipher = self.tls.cipher()
        assert cipher is not None, "the handshake is not done"
        is_long = "256" in cipher[0].partition("GCM")[0]
        digest, size = ("sha384", 32) if is_long else ("sha256", 16)
        ours, master = map(bytes.fromhex, self._secrets[0][1:])
        theirs = self._first[11:43]  # behind the record's head, the message's and the version
        keys = _expand(digest, master, b"key expansion" + theirs + ours, 2 * size + 8)
        aead, salt = AESGCM(keys[:size]), keys[2 * size : 2 * size + 4]
        made = []
        for number, (kind, content) in enumerate(records, 1):  # 0 was Finished
            sequence = number.to_bytes(8, "big")
            about = sequence + bytes((kind, 3, 3)) + len(content).to_bytes(2, "big")
            body = sequence + aead.encrypt(salt + sequence, content, about)
            made.append(bytes((kind, 3, 3)) + len(body).to_bytes(2, "big") + body)
        return b"".join(made)


def update_keys(tls: ssl.SSLObject, count: int, *, asking: bool) -> None:
    """Makes this side of TLS 1.3 write so many key updates; `asking`: each asks for one in return."""
    library = ctypes.CDLL(_ssl.__file__)
    library.SSL_key_update.argtypes = ctypes.c_void_p, ctypes.c_int
    library.SSL_do_handshake.argtypes = (ctypes.c_void_p,)
    raw = tls._sslobj  # type: ignore[attr-defined]  # noqa: SLF001 - PySSLSocket: head, Socket, SSL
    place = id(raw) + object.__basicsize__ + ctypes.sizeof(ctypes.c_void_p)
    connection = ctypes.c_void_p.from_address(place).value
    for _ in range(count):
        library.SSL_key_update(connection, asking)
        library.SSL_do_handshake(connection)


def _expand(digest: str, secret: bytes, seed: bytes, size: int) -> bytes:
    """P_hash (RFC 5246 section 5)."""
    made, block = b"", seed
    while len(made) < size:
        block = hmac.digest(secret, block, digest)
        made += hmac.digest(secret, block + seed, digest)
    return made[:size]
