"""What handshakes present at one time, by server name: made separately, never changed, put in place by one assignment.

This file knows certificates, names and how one set of files follows another. It does not know connections, nor the
context that every connection begins in (`contexts`): here is only what a server name leads to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from lb.config.model import CertificateFiles
from lb.config.names import wildcard_of
from lb.tls.files.certificate import Certificate, TlsError, TlsProblem, utc_now
from lb.tls.files.certificate_cache import CertificateCache
from lb.tls.files.client_ca import Authority, ClientAuth, ClientAuths, load_authority
from lb.tls.handshake.context_options import HTTP1, certificate_context
from lb.tls.handshake.lazy_context import LazyContext
from lb.tls.handshake.server_name import server_name

_AT_ONCE = 50  # contexts made at once with their map: takes a quarter of a second, and shows what is wrong

_Group = tuple[Certificate, ...]
_Kind = tuple[_Group, Authority | None]


@dataclass(frozen=True, slots=True)
class HandshakePolicy:
    """A configuration's settings for handshakes, except certificates: which domains ask clients for one, where the
    certificates for TLS-ALPN-01 are, under which wildcards names get certificates on demand, and which protocols
    connections may choose among (ALPN), the preferred one first.
    """

    clients: ClientAuths = field(default_factory=dict)
    challenges: Path | None = None
    demanded: frozenset[str] = frozenset()
    protocols: tuple[str, ...] = HTTP1


@dataclass(frozen=True, slots=True)
class SniEntry:
    """What a server name leads to: the context that the handshake goes on in, and the certificate that it presents.

    `client` says that the client has to show one, too; `session_context` then keeps others' sessions from resuming.
    `protocols` are those of a name with its own.
    """

    late: LazyContext
    certificate: Certificate
    client: ClientAuth | None = None
    session_context: bytes = b""
    protocols: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Presented:
    """All that can be presented: `certificates`, in the order of preference.

    Certificates with the same names and different types of key (RSA and ECDSA) share a context, and OpenSSL presents
    the one that the client supports. If two certificates cover a name, the first one has it. `first` is for clients
    that send no server name; None if there is no certificate at all. `problems` are about files that could not be used,
    whose earlier content stays. `loaded` is the content of the configured files, `shelf` the cache of any files.
    """

    first: SniEntry | None = None
    by_name: Mapping[str, SniEntry] = field(default_factory=dict)
    policy: HandshakePolicy = field(default_factory=HandshakePolicy)
    problems: tuple[TlsProblem, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    loaded: Mapping[CertificateFiles, Certificate] = field(default_factory=dict)
    authorities: Mapping[Path, Authority] = field(default_factory=dict)
    contexts: Mapping[_Kind, LazyContext] = field(default_factory=dict)
    shelf: CertificateCache = field(default_factory=CertificateCache)

    def find(self, name: str) -> SniEntry | None:
        """What is presented for a server name as it was sent, exact before wildcard; None if nothing covers it."""
        return _find(self.by_name, server_name(name))

    def without(self, refused: Collection[Certificate]) -> Presented:
        """The same after OpenSSL has refused some of its certificates: others take their places if there are any."""
        gone = {one.digest for one in refused}
        rest = tuple(one for one in self.certificates if one.digest not in gone)
        loaded = {pair: one for pair, one in self.loaded.items() if one.digest not in gone}
        return _arrange(replace(self, certificates=rest, loaded=loaded), self.contexts)

    @property
    def warnings(self) -> tuple[str, ...]:
        """About what is legal but surprising."""
        presented = {id(certificate) for group in _group(self.certificates) for certificate in group}
        now = utc_now()
        return (
            *(text for certificate in self.certificates for text in certificate.warnings(now)),
            *(
                f"{certificate.path}: never presented: an earlier certificate has the same names and kind of key"
                for certificate in self.certificates
                if id(certificate) not in presented
            ),
        )


def present(
    files: Iterable[CertificateFiles | Certificate],
    before: Presented,
    policy: HandshakePolicy | None = None,
    *,
    more: Sequence[CertificateFiles | Certificate] = (),
    lenient: bool = False,
) -> Presented:
    """The map for these files, and after them `more`; a Certificate is the content of its files, read just now. What is
    unchanged from `before` is reused, as is its policy without a `policy`.

    Raises TlsError with every problem of every one of `files`. If `lenient`, and always among `more`, files that cannot
    be used now (half-written ones, or a key without its certificate) keep their previous content, and are left out if
    they had none.

    Contexts for new content are made now if that takes no noticeable time, else by the first handshake.
    """
    files, policy = tuple(files), before.policy if policy is None else policy
    contexts = before.contexts
    while True:
        loading = _Loading(before, files)
        loading.load((*files, *more))
        loading.load_authorities(policy)
        if loading.required and not lenient:
            raise TlsError(loading.required)
        made = Presented(
            policy=policy,
            problems=tuple(loading.problems),
            certificates=tuple(loading.certificates),
            loaded=loading.loaded,
            authorities=loading.authorities,
            shelf=before.shelf,
        )
        if _is_same(made, before):
            return replace(before, policy=policy, problems=made.problems, loaded=made.loaded)
        made = _arrange(made, contexts)
        new = [late for kind, late in made.contexts.items() if kind not in before.contexts][:_AT_ONCE]
        if not sum(_is_refused(late, before.shelf) for late in new):
            return made
        contexts = {**contexts, **made.contexts}


class _Loading:
    """Everything usable, now or before, and what is wrong with the rest; `required` has the problems of required files,
    `problems` all of them.
    """

    def __init__(self, before: Presented, required: Collection[CertificateFiles | Certificate]) -> None:
        self._before = before
        self._files = {one for one in required if isinstance(one, CertificateFiles)}
        self.certificates: list[Certificate] = []
        self.loaded: dict[CertificateFiles, Certificate] = {}
        self.authorities: dict[Path, Authority] = {}
        self.required: list[TlsProblem] = []
        self.problems: list[TlsProblem] = []

    def load(self, files: Iterable[CertificateFiles | Certificate]) -> None:
        shelf = self._before.shelf
        for one in files:
            if isinstance(one, Certificate):
                if not shelf.refuses(one):
                    self.certificates.append(one)
                continue
            found = self._before.loaded.get(one)
            try:
                found = shelf.read(str(one.cert), str(one.key))
            except TlsError as error:
                self._fail(error, one in self._files)
            if found is not None and not shelf.refuses(found):
                self.loaded[one] = found
                self.certificates.append(found)

    def load_authorities(self, policy: HandshakePolicy) -> None:
        """A domain whose authorities are unknown accepts no client (see `_Making`)."""
        for path in dict.fromkeys(auth.file for auth in policy.clients.values() if auth is not None):
            known = self._before.authorities.get(path)
            try:
                found = load_authority(path, known)
                if found is not known:
                    certificate_context((), found)  # whether OpenSSL accepts it must not be left to handshakes
                self.authorities[path] = found
            except (TlsError, OSError) as error:
                self._fail(error if isinstance(error, TlsError) else TlsError([TlsProblem(path, str(error))]), True)
                if known is not None:
                    self.authorities[path] = known

    def _fail(self, error: TlsError, required: bool) -> None:
        self.problems += error.problems
        if required:
            self.required += error.problems


def _is_same(made: Presented, before: Presented) -> bool:
    return (
        len(made.certificates) == len(before.certificates)
        and all(one is other for one, other in zip(made.certificates, before.certificates, strict=True))
        and made.policy == before.policy
        and made.authorities == before.authorities
    )


def _is_refused(late: LazyContext, shelf: CertificateCache) -> bool:
    """Whether OpenSSL refuses something in it, which is known from then on."""
    with suppress(OSError):  # no descriptors just now: the first handshake tries again
        try:
            late.make()
        except TlsError as error:
            return bool(refuse(late, error, shelf))
    return False


def refuse(late: LazyContext, error: TlsError, shelf: CertificateCache) -> list[tuple[Certificate, TlsProblem, bool]]:
    """Note which of its certificates OpenSSL has refused, and why; the last value says whether that is new."""
    return [
        (one, problem, shelf.refuse(one, problem))
        for problem in error.problems
        for one in late.certificates
        if one.path == problem.path
    ]


def _arrange(made: Presented, before: Mapping[_Kind, LazyContext]) -> Presented:
    """The names that its certificates cover, reusing every existing context."""
    groups = _group(made.certificates)
    making = _Making(before, made.authorities)
    by_name = _by_name(groups, made.policy, making)
    first = making.entry(groups[0]) if groups else None
    return replace(made, by_name=by_name, first=first, contexts=making.contexts)


class _Making:
    """Makes entries, reusing every existing context."""

    def __init__(self, before: Mapping[_Kind, LazyContext], authorities: Mapping[Path, Authority]) -> None:
        self._before = before
        self._authorities = authorities
        self.contexts: dict[_Kind, LazyContext] = {}

    def entry(self, group: _Group, auth: ClientAuth | None = None) -> SniEntry | None:
        """None for a domain whose authorities are unknown."""
        if auth is None:
            return SniEntry(self._context(group, None), group[0])
        authority = self._authorities.get(auth.file)
        if authority is None:
            return None
        return SniEntry(self._context(group, authority), group[0], auth, authority.session_context(auth))

    def _context(self, group: _Group, authority: Authority | None) -> LazyContext:
        kind = group, authority
        late = self.contexts.get(kind) or self._before.get(kind) or LazyContext(group, authority)
        self.contexts[kind] = late
        return late


def _by_name(groups: Iterable[_Group], policy: HandshakePolicy, making: _Making) -> dict[str, SniEntry]:
    """The entries by name; domains that ask clients for a certificate get their own."""
    covering: dict[str, _Group] = {}
    for group in groups:
        for name in group[0].names:
            covering.setdefault(name, group)
    auths = _auth_by_name(covering, policy.clients)
    entries: dict[tuple[_Group, ClientAuth | None], SniEntry | None] = {}
    by_name: dict[str, SniEntry] = {}
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
    """Certificates grouped by names, one for each type of key, in the order of the configuration."""
    groups: dict[frozenset[str], list[Certificate]] = {}
    for certificate in certificates:
        group = groups.setdefault(certificate.names, [])
        if certificate.key_type not in {other.key_type for other in group}:
            group.append(certificate)
    return [tuple(group) for group in groups.values()]
