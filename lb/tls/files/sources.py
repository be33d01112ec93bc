"""Which certificates a configuration serves: those of its files first, then those of the store that its names need,
then one of the local authority for names that nothing else certifies.

This file knows where certificates are. It does not know how they got there, or how a handshake picks one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from lb.config.model import CertificateFiles, Domain, Tls
from lb.config.names import is_label, wildcard_of
from lb.config.plan import TlsPlan
from lb.tls.acme.store import Store
from lb.tls.files.certificate import Certificate, TlsError, TlsProblem
from lb.tls.files.certificate_cache import CertificateCache
from lb.tls.files.client_ca import ClientAuth
from lb.tls.files.local_ca import LocalCa
from lb.tls.handshake.sni_map import HandshakePolicy

log = logging.getLogger("lb.certificates")


class Sources:
    """All that is presented, in the order of preference: `files`, which the configuration names, then `more`. Evaluated
    anew each time; what cannot be read in the store is left out, and what was read there stays on the `shelf`.
    """

    def __init__(self, plan: TlsPlan, shelf: CertificateCache) -> None:
        serves = plan.serves_https
        self.files = plan.settings.certificates if serves else ()
        self._stored = StoredSource(plan, shelf) if serves else None
        self._local = LocalSource(plan, shelf) if serves else None

    def __call__(self) -> tuple[CertificateFiles | Certificate, ...]:
        return (*self.files, *self.more())

    def more(self) -> tuple[CertificateFiles | Certificate, ...]:
        """The store's, and that of the local authority."""
        stored = () if self._stored is None else self._stored.certificates()
        return (*stored, *(() if self._local is None else self._local.files()))


class LocalSource:
    """The certificate for a configuration's local names that its own files do not cover. Files that are on the `shelf`
    are not parsed again.
    """

    def __init__(self, plan: TlsPlan, shelf: CertificateCache) -> None:
        self._wildcards = plan.local_wildcards
        self.names = _uncovered(plan.local_names, plan.settings.certificates, shelf)
        self._authority = LocalCa(plan.settings.store, shelf)
        self._failed = False

    def files(self) -> tuple[CertificateFiles, ...]:
        """It is made at the first call, and when it ends soon; if it cannot be made, that is logged once."""
        if not self.names and not (self._wildcards and self._authority.served.exists()):
            return ()
        return self._make(())

    def demanded(self, name: str) -> bool:
        """A client has asked for a name that has no certificate: returns whether it is one of ours, and has one now."""
        is_name = wildcard_of(name) in self._wildcards and is_label(name.partition(".")[0])
        return is_name and bool(self._make((name,)))

    def _make(self, more: tuple[str, ...]) -> tuple[CertificateFiles, ...]:
        try:
            return (self._authority.certificate(self.names, self._wildcards, more),)
        except OSError as error:
            if not self._failed:
                log.error("no certificate can be made for %s: %s", ", ".join((*self.names, *more)), error)  # noqa: TRY400
            self._failed = True
            return ()


def _uncovered(names: Sequence[str], files: Iterable[CertificateFiles], shelf: CertificateCache) -> tuple[str, ...]:
    """The names that no file covers; without names no file is read."""
    covering: list[Certificate] = []
    for pair in files if names else ():
        with suppress(TlsError):  # reported by the part that presents it
            covering.append(shelf.parse(str(pair.cert), str(pair.key)))
    return tuple(name for name in names if not any(name in one.names or one.covers(name) for one in covering))


class StoredSource:
    """The store's certificates for a configuration's bound names, whether or not anything renews them. `problems` are
    about files that could not be used at the last call.
    """

    def __init__(self, plan: TlsPlan, shelf: CertificateCache) -> None:
        self._bound = plan.names
        self._store = Store(plan.settings.store)
        self._shelf = shelf
        self.problems: list[TlsProblem] = []

    def certificates(self) -> list[Certificate]:
        """Of several for a name, the one with the latest end comes first."""
        found: list[Certificate] = []
        self.problems = []
        for path in self._store.certificate_files():
            try:
                certificate = self._shelf.read(path, path)
            except TlsError as error:
                self.problems += error.problems
                continue
            if any(one in self._bound or wildcard_of(one) in self._bound for one in certificate.names):
                found.append(certificate)
        return sorted(found, key=lambda one: one.not_after, reverse=True)


def handshake_policy(plan: TlsPlan) -> HandshakePolicy:
    """The configuration's settings for handshakes, except certificates."""
    clients = {name: None if domain is None else _client_auth(domain) for name, domain in plan.clients.items()}
    challenges = Store(plan.settings.store).challenges if "tls-alpn-01" in plan.challenge_types else None
    return HandshakePolicy(clients, challenges, plan.demanded_wildcards | plan.local_wildcards, plan.protocols)


def _client_auth(domain: Domain) -> ClientAuth | None:
    if domain.client_ca is None:
        return None
    return ClientAuth(domain.name, domain.client_ca, domain.client_auth == "required")


def challenge_directories(tls: Tls) -> tuple[Path, ...]:
    """The directories with answers to HTTP-01: the store's, and that of another ACME client."""
    own = () if tls.acme is None else (Store(tls.store).challenges,)
    return (*own, *(() if tls.challenges is None else (tls.challenges,)))
