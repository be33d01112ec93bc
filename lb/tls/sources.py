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
from lb.tls.acme.held import Held, HeldFiles
from lb.tls.acme.store import Store
from lb.tls.acme.wanted import all_bound_names, demand_wildcards, local_wildcards, possible_types
from lb.tls.authority import ClientAuth
from lb.tls.certificate import Certificate, TlsError, load_certificate, wildcard_of
from lb.tls.local_ca import LocalCa
from lb.tls.presented import Policy

log = logging.getLogger("lb.certificates")


class Sources:
    """The files in the order of preference, asked anew each time; what cannot be read in the store is left out."""

    def __init__(self, config: Config) -> None:
        self._files = config.tls.certificates
        self._stored = StoredSource(config)
        self._local = LocalSource(config)

    def __call__(self) -> tuple[CertificateFiles, ...]:
        return (*self._files, *self._stored.files(), *self._local.files())


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
    """The store's certificates for a configuration's bound names, whether or not anybody renews them."""

    def __init__(self, config: Config) -> None:
        self._bound = all_bound_names(config)
        self._store = Store(config.tls.store)
        self._known = HeldFiles()

    def files(self) -> tuple[CertificateFiles, ...]:
        """Of several for a name, the one that holds longest comes first."""
        return tuple(CertificateFiles(cert=path, key=path) for _, path in self.held())

    def held(self) -> list[tuple[Held, Path]]:
        """The same with what is known about them."""
        found: list[tuple[Held, Path]] = []
        for path in self._store.certificate_paths():
            held = self._known.read(path)
            if held is not None and any(one in self._bound or wildcard_of(one) in self._bound for one in held.names):
                found.append((held, path))
        return sorted(found, key=lambda one: -one[0].not_after)


def handshake_policy(config: Config) -> Policy:
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
    return Policy(clients, Store(config.tls.store).challenges if asked else None, demanded)


def challenge_directories(config: Config) -> tuple[Path, ...]:
    """Where answers to HTTP-01 may be: those of the store, and those of another ACME client."""
    own = () if config.tls.acme is None else (Store(config.tls.store).challenges,)
    return (*own, *(() if config.tls.challenges is None else (config.tls.challenges,)))
