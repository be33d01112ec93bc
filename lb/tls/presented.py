"""What handshakes present at one time, found by server name: made aside, never changed, put in place by one assignment.

This file knows certificates, names and what follows from one set of files after another. It does not know connections,
nor the context that every connection begins in (`contexts`): here is only what a server name leads to.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from lb.config.model import CertificateFiles
from lb.tls.authority import Authority, ClientAuth, ClientAuths, load_authority
from lb.tls.certificate import Certificate, TlsError, TlsProblem, load_certificate, utc_now, wildcard_of
from lb.tls.settings import certificate_context

_Group = tuple[Certificate, ...]
_Kind = tuple[_Group, Authority | None]


@dataclass(frozen=True, slots=True)
class Policy:
    """What a configuration says of handshakes besides certificates: whose clients are asked for one, where the
    certificates are that answer TLS-ALPN-01, and under which wildcards names get certificates on demand.
    """

    clients: ClientAuths = field(default_factory=dict)
    challenges: Path | None = None
    demanded: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Entry:
    """What a server name leads to: the context that the handshake goes on in, and the certificate that it presents.

    `client` says that the client has to show one, too; `session_context` then keeps others' sessions from resuming.
    """

    context: ssl.SSLContext
    certificate: Certificate
    client: ClientAuth | None = None
    session_context: bytes = b""


@dataclass(frozen=True, slots=True)
class Presented:
    """All that can be presented.

    Certificates with the same names and different kinds of key (RSA and ECDSA) share a context, and OpenSSL presents
    the one that the client can use. Where two certificates cover a name, the first one in the configuration has it.
    `first` is for clients that name no server; None where there is no certificate at all. `warnings` are about what is
    legal but surprising, `problems` about files that could not be used, whose earlier content stays.
    """

    first: Entry | None = None
    by_name: Mapping[str, Entry] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    warnings: tuple[str, ...] = ()
    problems: tuple[TlsProblem, ...] = ()
    loaded: Mapping[CertificateFiles, Certificate] = field(default_factory=dict)
    authorities: Mapping[Path, Authority] = field(default_factory=dict)
    contexts: Mapping[_Kind, ssl.SSLContext] = field(default_factory=dict)

    def find(self, name: str) -> Entry | None:
        """What is presented for a server name in any case, exact before wildcard; None if no certificate covers it."""
        return _find(self.by_name, name.lower().removesuffix("."))


def present(
    files: Iterable[CertificateFiles], before: Presented, policy: Policy | None = None, *, lenient: bool = False
) -> Presented:
    """What these files give; whose content is still that of `before` is taken over from there, as is its policy
    without a `policy`.

    Raises TlsError with every problem of every file. If `lenient`, files that cannot be used now (half-written ones, or
    a key without its certificate) count as what they were before, and are left out if they were nothing.
    """
    files = tuple(files)
    policy = before.policy if policy is None else policy
    refused: dict[Path, TlsProblem] = {}
    while True:
        loaded, problems = _load(files, before.loaded, refused)
        authorities = _load_authorities(policy, before.authorities, refused, problems)
        if problems and not lenient:
            raise TlsError(problems)
        groups = _group(loaded.values())
        making = _Making(before.contexts, authorities)
        try:
            by_name = _by_name(groups, policy, making)
            first = making.entry(groups[0]) if groups else None
        except TlsError as error:  # only OpenSSL itself found something wrong
            new = {problem.path: problem for problem in error.problems}
            if not lenient or new.keys() <= refused.keys():
                raise
            refused |= new
            continue
        warnings = _warnings(loaded.values(), groups)
        return Presented(first, by_name, policy, warnings, tuple(problems), loaded, authorities, making.contexts)


def _load(
    files: Iterable[CertificateFiles],
    before: Mapping[CertificateFiles, Certificate],
    refused: Mapping[Path, TlsProblem],
) -> tuple[dict[CertificateFiles, Certificate], list[TlsProblem]]:
    """Every pair that can be used, by now or before, and what is wrong with the others."""
    loaded: dict[CertificateFiles, Certificate] = {}
    problems: list[TlsProblem] = []
    for pair in files:
        known = before.get(pair)
        if pair.cert in refused:
            problems.append(refused[pair.cert])
        else:
            try:
                loaded[pair] = load_certificate(pair, known)
            except TlsError as error:
                problems += error.problems
        if known is not None:
            loaded.setdefault(pair, known)
    return loaded, problems


def _load_authorities(
    policy: Policy, before: Mapping[Path, Authority], refused: Mapping[Path, TlsProblem], problems: list[TlsProblem]
) -> dict[Path, Authority]:
    """The same for files of authorities. A domain whose authorities are not known lets nobody in (see `_Making`)."""
    loaded: dict[Path, Authority] = {}
    for path in dict.fromkeys(auth.file for auth in policy.clients.values() if auth is not None):
        known = before.get(path)
        if path in refused:
            problems.append(refused[path])
        else:
            try:
                loaded[path] = load_authority(path, known)
            except TlsError as error:
                problems += error.problems
        if known is not None:
            loaded.setdefault(path, known)
    return loaded


class _Making:
    """Makes entries, and takes over every context that there was already."""

    def __init__(self, before: Mapping[_Kind, ssl.SSLContext], authorities: Mapping[Path, Authority]) -> None:
        self._before = before
        self._authorities = authorities
        self.contexts: dict[_Kind, ssl.SSLContext] = {}

    def entry(self, group: _Group, auth: ClientAuth | None = None) -> Entry | None:
        """None for a domain whose authorities are not known."""
        if auth is None:
            return Entry(self._context(group, None), group[0])
        authority = self._authorities.get(auth.file)
        if authority is None:
            return None
        return Entry(self._context(group, authority), group[0], auth, authority.session_context(auth))

    def _context(self, group: _Group, authority: Authority | None) -> ssl.SSLContext:
        kind = group, authority
        made = self.contexts.get(kind) or self._before.get(kind) or certificate_context(group, authority)
        self.contexts[kind] = made
        return made


def _by_name(groups: Iterable[_Group], policy: Policy, making: _Making) -> dict[str, Entry]:
    """The entries by name; those of domains that ask their clients for a certificate beside those of the others."""
    covering: dict[str, _Group] = {}
    for group in groups:
        for name in group[0].names:
            covering.setdefault(name, group)
    auths = _auth_by_name(covering, policy.clients)
    entries: dict[tuple[_Group, ClientAuth | None], Entry | None] = {}
    by_name: dict[str, Entry] = {}
    for name in (*covering, *(name for name in auths if name not in covering)):
        group = covering.get(name) or covering[wildcard_of(name)]
        key = group, auths.get(name)
        if key not in entries:
            entries[key] = making.entry(*key)
        if (entry := entries[key]) is not None:
            by_name[name] = entry
    return by_name


def _auth_by_name(covering: Mapping[str, _Group], clients: ClientAuths) -> dict[str, ClientAuth | None]:
    """Which of the names that a certificate covers ask for one: a domain's own setting, else that of its wildcard."""
    if not clients:
        return {}
    auths = {name: clients[wildcard_of(name)] for name in covering if wildcard_of(name) in clients}
    auths |= {name: auth for name, auth in clients.items() if _find(covering, name) is not None}
    return auths


T = TypeVar("T")


def _find(by_name: Mapping[str, T], name: str) -> T | None:
    return by_name.get(name) or by_name.get(wildcard_of(name))


def _group(certificates: Iterable[Certificate]) -> list[_Group]:
    """Certificates for the same names put together, one of each kind of key, in the order of the configuration."""
    groups: dict[frozenset[str], list[Certificate]] = {}
    for certificate in certificates:
        group = groups.setdefault(certificate.names, [])
        if certificate.key_type not in {other.key_type for other in group}:
            group.append(certificate)
    return [tuple(group) for group in groups.values()]


def _warnings(certificates: Iterable[Certificate], groups: Iterable[_Group]) -> tuple[str, ...]:
    presented = {id(certificate) for group in groups for certificate in group}
    now = utc_now()
    return (
        *(text for certificate in certificates for text in certificate.warnings(now)),
        *(
            f"{certificate.path}: never presented: an earlier certificate has the same names and kind of key"
            for certificate in certificates
            if id(certificate) not in presented
        ),
    )
