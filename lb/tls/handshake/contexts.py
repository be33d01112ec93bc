"""The one context that every TLS connection begins in, and the choice of a certificate by server name.

This file knows handshakes and server names. It does not know sockets, connections or what is behind a name.

The front context is made once, in the parent, before it forks, and is never replaced: its keys make and read all
session tickets, so a session that one worker began resumes in any other, and after any number of reloads. What it leads
to, by server name, is the current `Presented`; a new one is prepared separately and replaces it by one assignment.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from weakref import ref

from lb.config.model import CertificateFiles
from lb.config.names import wildcard_of
from lb.tls.files.certificate import Certificate, TlsError
from lb.tls.handshake.client_hello import ACME_ONLY, ClientHellos
from lb.tls.handshake.context_options import ServerConnection, new_context
from lb.tls.handshake.lazy_context import LazyContext
from lb.tls.handshake.name_limiter import NameLimiter
from lb.tls.handshake.pending import PendingHandshakes
from lb.tls.handshake.server_name import is_address, is_name, server_name
from lb.tls.handshake.sni_map import HandshakePolicy, Presented, SniEntry, present, refuse
from lb.tls.handshake.tickets import Tickets
from lb.tls.handshake.tls_alpn01 import challenge_entry

log = logging.getLogger("lb.certificates")

_UNKNOWN = (
    "a TLS handshake for %s was refused: no certificate covers this name (`lb check` reports domains without one)"
)
_MOST_MADE = 10_000  # contexts that handshakes have made: 240 MB; beyond that the oldest is dropped


class Contexts:
    """The server side of all TLS connections.

    Starts with these certificates, possibly none: then every handshake fails with the alert unrecognized_name.
    Raises TlsError with every problem of every file.
    """

    def __init__(self, certificates: Iterable[CertificateFiles] = (), policy: HandshakePolicy | None = None) -> None:
        self.front = new_context()
        self.front.sni_callback = self._select
        self.tickets = Tickets(self.front)
        self._hellos = ClientHellos(self.front, self._heard, self.count_unknown)
        self._decided: SniEntry | None = None  # at the client hello, for the choice that follows in the same call
        self._wrap: Callable[..., Any] = self.front.wrap_bio
        self._made: deque[ref[LazyContext]] = deque()  # contexts of this process, which others do not share
        self._is_short = False
        self.held = PendingHandshakes(NameLimiter(pause=5.0, rate=5.0, burst=50.0, most=1000).admits)
        """Handshakes for names under the policy's `demanded` wildcards that have no certificate yet."""
        # Each name once an hour, and all of them at a limited rate: they come from anyone.
        self._tells = NameLimiter(pause=3600.0, rate=1 / 60, burst=5.0, most=1000).admits
        self.presented = Presented()
        self.switch(self.prepare(certificates, policy))

    def prepare(
        self,
        certificates: Iterable[CertificateFiles],
        policy: HandshakePolicy | None = None,
        more: Sequence[CertificateFiles | Certificate] = (),
    ) -> Presented:
        """The result of these certificates, for `switch`; nothing live is touched, so any thread may call this.

        Without a `policy`, the present one stays. Only files with new content are loaded. Raises TlsError with every
        problem of every file, except those of `more`, which changed by themselves.
        """
        return present(certificates, self.presented, policy, more=more)

    def refresh(self, certificates: Iterable[CertificateFiles | Certificate]) -> Presented:
        """The same for files that changed by themselves: one that cannot be used now keeps its previous content.

        Its `problems` say which and why; files that were never usable are left out of what is presented.
        """
        return present(certificates, self.presented, lenient=True)

    def switch(self, presented: Presented) -> None:
        """Handshakes from now on use this; those under way and connections keep what they have."""
        self.presented = presented
        self.tickets.follow()
        policy = presented.policy
        all_hellos = any(policy.clients.values()) or bool(policy.demanded)
        self._hellos.listen(all_hellos or policy.challenges is not None, b"" if all_hellos else ACME_ONLY)
        self.held.arrived(
            lambda name: presented.find(name) is not None, lambda name: wildcard_of(name) in policy.demanded
        )

    def wrap(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> ServerConnection:
        """The server's side of a new connection that reads from `incoming` and writes to `outgoing`."""
        connection: ServerConnection = self._wrap(incoming, outgoing, server_side=True)
        return connection

    def _heard(self, connection: int, name: str | None, protocols: bytes) -> bool:
        """A client hello, if the policy needs more than Python's `ssl` reports; it must not raise."""
        self._decided = None
        if name is None:
            return False
        presented = self.presented
        if protocols == ACME_ONLY and presented.policy.challenges is not None:
            self._decided = challenge_entry(presented.policy.challenges, name)
        entry = self._decided or presented.find(name)
        if entry is None:
            name = self._demanded(name)
            if name is None:
                return False
            if protocols == ACME_ONLY:
                # A validating client is not held: its certificate would exist. Names that come in this way are not
                # remembered.
                self.held.refuse()
                return False
            return self.held.may_hold(name, time.monotonic())
        if entry.client is not None:
            self._decided = entry
            self._hellos.ask_for_certificate(connection, entry.client.required, entry.session_context)
        return False

    def _select(self, connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        """OpenSSL's query during the handshake; it must not raise, and nothing in it can."""
        presented = self.presented
        found, self._decided = self._decided, None
        if found is None and name is not None:
            found = presented.find(name)
            if found is not None and found.client is not None:
                return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR  # its client was not asked for a certificate
        entry = found
        if found is None and (name is None or is_address(name)):
            entry = presented.first
        if entry is None or entry.late.context is None:
            return self._select_late(connection, name, entry, found is not None)
        self._go_on(connection, entry, found is not None)
        return None

    def _select_late(
        self, connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, entry: SniEntry | None, is_named: bool
    ) -> int | None:
        """The same if nothing is ready: no handshake has needed it yet, or there is nothing."""
        try:
            made = self._make(entry, name)
        except OSError as error:
            self._say_short(error)
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        if entry is None or made is None:
            self._miss(name)
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        if is_named and made.client != entry.client:
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR  # as above
        self._go_on(connection, made, is_named)
        return None

    def _go_on(self, connection: ssl.SSLSocket | ssl.SSLObject, entry: SniEntry, is_named: bool) -> None:
        """Present it. Only a client that sent the name is told of a different certificate for another host (D5)."""
        context = entry.late.context
        assert context is not None  # noqa: S101  for mypy: the callers make sure
        entry.late.offer(entry.protocols or self.presented.policy.protocols)
        connection.context = context
        if is_named:
            connection.certificate = entry.certificate  # type: ignore[union-attr]  # a ServerConnection
            if entry.client is not None:
                connection.client_auth = entry.client.domain.encode()  # type: ignore[union-attr]

    def _miss(self, name: str | None) -> None:
        """There is no certificate for this name."""
        wanted = None if name is None else self._demanded(name)
        if wanted is not None and self._hellos.can_listen:
            return  # the client hello was seen: the name was requested or refused there, and is counted
        if wanted is not None:
            self.held.mention(wanted, time.monotonic())  # nothing can be held here; it may exist the next time
        self.count_unknown()
        if name is not None and is_name(name := server_name(name)) and self._tells(name, time.monotonic()):
            log.warning(_UNKNOWN, name)

    def count_unknown(self) -> None:
        """A handshake was refused because its server name has no certificate, or cannot be one."""
        self.held.count_unknown()

    def _make(self, entry: SniEntry | None, name: str | None) -> SniEntry | None:
        """The entry, with the context that its first handshake needs; another one if OpenSSL refuses its certificate.
        Raises OSError.
        """
        while entry is not None:
            try:
                entry.late.make()
            except TlsError as error:
                if not self._refuse(entry.late, error):
                    return None
                presented = self.presented
                entry = presented.first if name is None or is_address(name) else presented.find(name)
            else:
                self._keep(entry.late)
                break
        return entry

    def _keep(self, late: LazyContext) -> None:
        self._is_short = False
        self._made.append(ref(late))
        if len(self._made) > _MOST_MADE and (oldest := self._made.popleft()()) is not None:
            oldest.forget()

    def _refuse(self, late: LazyContext, error: TlsError) -> bool:
        """Something that looked usable when it was read is not: it is no longer presented, and that is logged once.
        False if nothing can replace it because it was not a certificate that was refused.
        """
        refused = refuse(late, error, self.presented.shelf)
        for certificate, problem, is_new in refused:
            if is_new:
                names = ", ".join(sorted(certificate.names))
                log.error("%s; it is no longer presented for %s: replace it", problem, names)
        self.presented = self.presented.without([certificate for certificate, _, _ in refused])
        return bool(refused)

    def _say_short(self, error: OSError) -> None:
        if not self._is_short:
            log.error("a handshake failed: its certificate could not be loaded: %s", error.strerror)
        self._is_short = True

    def _demanded(self, name: str) -> str | None:
        """The name to ask for, if it may get a certificate on demand."""
        demanded = self.presented.policy.demanded
        if not demanded:
            return None
        name = server_name(name)
        return name if wildcard_of(name) in demanded else None
