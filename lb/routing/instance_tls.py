"""The client's side of TLS to instances: what is trusted, whose name is expected, and the session to resume.

One context serves all instances of alike settings; each instance has its own name and last session. Knows files and
`ssl`, and no connection.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TlsClient:
    """The settings of a context, with the state of their files: another one is made when either changes."""

    verify: bool
    ca: Path | None
    cert: Path | None
    key: Path | None
    stamps: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, verify: bool, ca: Path | None, cert: Path | None, key: Path | None) -> TlsClient:
        """With the files as they are now; one that is missing shows when the context is made."""
        return cls(verify, ca, cert, key, tuple(map(_stamp, (ca, cert, key))))

    def context(self) -> ssl.SSLContext:
        """A new context. Raises OSError for a file that cannot be used."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif self.ca is not None:
            context.load_verify_locations(self.ca)
        else:
            context.load_default_certs()
        if self.cert is not None:
            context.load_cert_chain(self.cert, self.key, lambda: "")
        return context


def _stamp(file: Path | None) -> tuple[int, ...]:
    try:
        found = file.stat() if file is not None else None
    except OSError:
        return ()
    return () if found is None else (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)


class InstanceTls:
    """TLS to one instance; `client` says how its context was made."""

    __slots__ = ("_context", "_session", "client", "server_name")

    def __init__(self, client: TlsClient, context: ssl.SSLContext, server_name: str) -> None:
        self.client = client
        self.server_name = server_name
        self._context = context
        self._session: ssl.SSLSession | None = None

    def is_like(self, other: InstanceTls | None) -> bool:
        """Whether connections of either may serve in place of the other's."""
        return other is not None and (self.client, self.server_name) == (other.client, other.server_name)

    def wrap(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> ssl.SSLObject:
        """Our side of a new connection, which resumes the last session if there is one."""
        return self._context.wrap_bio(incoming, outgoing, server_hostname=self.server_name, session=self._session)

    def remember(self, side: ssl.SSLObject) -> None:
        """The next connection may resume this one's session."""
        session = side.session
        if session is not None and session.has_ticket:
            self._session = session

    def forget(self) -> None:
        """A handshake has failed: the next one is to be a whole one."""
        self._session = None
