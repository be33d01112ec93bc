"""Which certificates a configuration serves: those of its files first, then those of the store that its names need,
then one of the local authority for names that nobody else vouches for.

This file knows where certificates are. It does not know how they got there, or how a handshake picks one.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lb.config.model import CertificateFiles, Config
from lb.config.names import is_label, is_local
from lb.tls.acme.desired import all_bound_names, demand_wildcards, local_wildcards, possible_types
from lb.tls.acme.store import Store
from lb.tls.files.certificate import Certificate, TlsError, TlsProblem, load_certificate, wildcard_of
from lb.tls.files.certificate_cache import Shelf
from lb.tls.files.client_ca import ClientAuth
from lb.tls.files.local_ca import LocalCa
from lb.tls.handshake.sni_map import HandshakePolicy

log = logging.getLogger("lb.certificates")


class Sources:
    """All that is presented, in the order of preference: `files`, which the configuration names, then `more`. Asked
    anew each time; what cannot be read in the store is left out, and what was read there stays on the `shelf`.
    """

    def __init__(self, config: Config, shelf: Shelf) -> None:
        serves = bool(config.listen.https)
        self.files = config.tls.certificates if serves else ()
        self._stored = StoredSource(config, shelf) if serves else None
        self._local = LocalSource(config) if serves else None

    def __call__(self) -> tuple[CertificateFiles | Certificate, ...]:
        return (*self.files, *self.more())

    def more(self) -> tuple[CertificateFiles | Certificate, ...]:
        """The store's, and that of the local authority."""
        stored = () if self._stored is None else self._stored.certificates()
        return (*stored, *(() if self._local is None else self._local.files()))


class LocalSource:
    """The certificate for a configuration's local names, as far as its own files have none for them."""

    def __init__(self, config: Config) -> None:
        self._wildcards = local_wildcards(config)
        local = set(filter(is_local, all_bound_names(config))) - self._wildcards
        self.names = _uncovered(config, sorted(local))
        self._authority = LocalCa(config.tls.store)
        self._failed = False

    def files(self) -> tuple[CertificateFiles, ...]:
        """It is made when it is first asked for, and when it ends soon; where it cannot be, the log says so once."""
        if not self.names and not (self._wildcards and self._authority.served.exists()):
            return ()
        return self._make(())

    def demanded(self, name: str) -> bool:
        """A client has asked for a name that has no certificate: whether it is one of ours, and has one now."""
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


def _uncovered(config: Config, names: Sequence[str]) -> tuple[str, ...]:
    """Those that no file of the configuration covers, without a look at the files where there are no names at all."""
    covering: list[Certificate] = []
    for files in config.tls.certificates if names else ():
        with suppress(TlsError):  # said by who presents it
            covering.append(load_certificate(files))
    return tuple(name for name in names if not any(name in one.names or one.covers(name) for one in covering))


class StoredSource:
    """The store's certificates for a configuration's bound names, whether or not anybody renews them. `problems` are
    about files that could not be used when it was asked last.
    """

    def __init__(self, config: Config, shelf: Shelf) -> None:
        self._bound = all_bound_names(config)
        self._store = Store(config.tls.store)
        self._shelf = shelf
        self.problems: list[TlsProblem] = []

    def certificates(self) -> list[Certificate]:
        """Of several for a name, the one that holds longest comes first."""
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


def handshake_policy(config: Config) -> HandshakePolicy:
    """What the configuration says of handshakes besides certificates."""
    auths = {
        domain.name: ClientAuth(domain.name, domain.client_ca, domain.client_auth == "required")
        for app in config.apps.values()
        for domain in app.domains
        if domain.client_ca is not None
    }
    # A domain without one keeps out of what a wildcard says.
    clients = {name: auths.get(name) for name in all_bound_names(config) if name in auths or wildcard_of(name) in auths}
    acme = config.tls.acme
    asked = acme is not None and "tls-alpn-01" in possible_types(config, acme)
    demanded = demand_wildcards(config) | local_wildcards(config)
    return HandshakePolicy(clients, Store(config.tls.store).challenges if asked else None, demanded)


def challenge_directories(config: Config) -> tuple[Path, ...]:
    """Where answers to HTTP-01 may be: those of the store, and those of another ACME client."""
    own = () if config.tls.acme is None else (Store(config.tls.store).challenges,)
    return (*own, *(() if config.tls.challenges is None else (config.tls.challenges,)))
