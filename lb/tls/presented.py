"""What handshakes present at one time, found by server name: made aside, never changed, put in place by one assignment.

This file knows certificates, names and what follows from one set of files after another. It does not know connections,
nor the context that every connection begins in (`contexts`): here is only what a server name leads to.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lb.config.model import CertificateFiles
from lb.tls.certificate import Certificate, TlsError, TlsProblem, load_certificate, utc_now, wildcard_of
from lb.tls.settings import certificate_context

_Group = tuple[Certificate, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """What a server name leads to: the context that the handshake goes on in, and the certificate that it presents."""

    context: ssl.SSLContext
    certificate: Certificate


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
    warnings: tuple[str, ...] = ()
    problems: tuple[TlsProblem, ...] = ()
    loaded: Mapping[CertificateFiles, Certificate] = field(default_factory=dict)
    contexts: Mapping[_Group, ssl.SSLContext] = field(default_factory=dict)

    def find(self, name: str) -> Entry | None:
        """What is presented for a server name in any case, exact before wildcard; None if no certificate covers it."""
        name = name.lower().removesuffix(".")
        by_name = self.by_name
        return by_name.get(name) or by_name.get(wildcard_of(name))


def present(files: Iterable[CertificateFiles], before: Presented, *, lenient: bool = False) -> Presented:
    """What these files give; whose content is still that of `before` is taken over from there.

    Raises TlsError with every problem of every file. If `lenient`, files that cannot be used now (half-written ones, or
    a key without its certificate) count as what they were before, and are left out if they were nothing.
    """
    loaded, problems = _load(files, before.loaded)
    if problems and not lenient:
        raise TlsError(problems)
    groups = _group(loaded.values())
    contexts: dict[_Group, ssl.SSLContext] = {}
    for group in groups:
        try:
            contexts[group] = before.contexts.get(group) or certificate_context(group)
        except TlsError as error:
            if not lenient:
                raise
            problems += error.problems
    entries = [Entry(context, group[0]) for group, context in contexts.items()]
    by_name: dict[str, Entry] = {}
    for entry in entries:
        for name in entry.certificate.names:
            by_name.setdefault(name, entry)
    return Presented(
        first=entries[0] if entries else None,
        by_name=by_name,
        warnings=_warnings(loaded.values(), groups),
        problems=tuple(problems),
        loaded=loaded,
        contexts=contexts,
    )


def _load(
    files: Iterable[CertificateFiles], before: Mapping[CertificateFiles, Certificate]
) -> tuple[dict[CertificateFiles, Certificate], list[TlsProblem]]:
    """Every pair that can be read, by now or before, and what is wrong with the others."""
    loaded: dict[CertificateFiles, Certificate] = {}
    problems: list[TlsProblem] = []
    for pair in files:
        known = before.get(pair)
        try:
            loaded[pair] = load_certificate(pair, known)
        except TlsError as error:
            problems += error.problems
            if known is not None:
                loaded[pair] = known
    return loaded, problems


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
