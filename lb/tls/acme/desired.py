"""Which certificates a configuration wants to be obtained: pure, from bound names and from what the files cover.

This file knows domains and what a CA can give. It does not know what is in the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lb.config.acme import DIRECTORIES, Acme, ChallengeType
from lb.config.model import App, Config
from lb.config.names import CATCH_ALL, LOCAL_TOPS, is_local, is_staging, shared_names

_MOST_NAMES = 100  # in one certificate; Let's Encrypt's limit
# Names under these are nobody's on the internet: no public CA can know whose they are.
_PRIVATE_TOPS = frozenset(
    {"localhost", "test", "local", "internal", "lan", "home", "intranet", "private", "corp", "invalid", "onion", "alt"}
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One certificate: `name` is one of its names, and its file's."""

    name: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CertificatePlan:
    """`warnings` are about names that get no certificate."""

    wanted: tuple[Wanted, ...]
    warnings: tuple[str, ...]


def make_plan(config: Config, is_covered: Callable[[str], bool]) -> CertificatePlan:
    """`is_covered` says whether a certificate from a file has the name."""
    acme = config.tls.acme
    if acme is None or not config.listen.https:
        return CertificatePlan((), ())
    warnings: list[str] = []
    groups: list[list[str]] = []
    for app, settings in config.apps.items():
        names = [name for name in bound_names(config, app, settings) if not is_covered(name)]
        possible = [name for name in names if _is_possible(name, config, acme, warnings)]
        wildcards = {name for name in possible if name.startswith("*.")}
        possible = [name for name in possible if name in wildcards or _parent(name) not in wildcards]
        if acme.certificate_per == "app":
            groups += [possible[start : start + _MOST_NAMES] for start in range(0, len(possible), _MOST_NAMES)]
        else:
            groups += [[name] for name in possible]
    return CertificatePlan(tuple(Wanted(group[0], tuple(group)) for group in groups), tuple(warnings))


def lacking(config: Config, is_covered: Callable[[str], bool]) -> tuple[str, ...]:
    """The bound names for which there is no certificate, and none will come by itself; `is_covered` as above."""
    if not config.listen.https:
        return ()
    coming = {name for wanted in make_plan(config, is_covered).wanted for name in wanted.names}
    coming |= demand_wildcards(config)
    return tuple(
        name
        for name in sorted(all_bound_names(config))
        if not (is_local(name.removeprefix("*.")) or is_covered(name) or coming.intersection((name, _parent(name))))
    )


def bound_names(config: Config, app: str, settings: App) -> Iterator[str]:
    """The names that lead to an app, those under the shared domain included."""
    for domain in settings.domains:
        if domain.name != CATCH_ALL:
            yield domain.name
    if config.shared_domain is not None:
        for name in shared_names(app, config.shared_domain):
            if (settings.staging if is_staging(name) else settings.production) is not None:
                yield name


def all_bound_names(config: Config) -> frozenset[str]:
    return frozenset(name for app, settings in config.apps.items() for name in bound_names(config, app, settings))


def demand_wildcards(config: Config) -> frozenset[str]:
    """Bound wildcards under which a name gets a certificate of its own when it is first asked for."""
    acme = config.tls.acme
    if acme is None or config.tls.on_demand is None or "dns-01" in possible_types(config, acme):
        return frozenset()
    return frozenset(name for name in all_bound_names(config) if name.startswith("*.") and not is_local(name))


def local_wildcards(config: Config) -> frozenset[str]:
    """Bound wildcards right under `localhost` or `test`. Clients take them for as bad as `*.com` and believe no
    certificate that has them, so that names under them need to be in one themselves.
    """
    return all_bound_names(config) & {f"*.{top}" for top in LOCAL_TOPS}


def possible_types(config: Config, acme: Acme) -> tuple[ChallengeType, ...]:
    """The challenges that can be met here, the preferred one first."""
    if acme.challenges is not None:
        return acme.challenges
    types: list[ChallengeType] = []
    if config.listen.http:
        types.append("http-01")
    if config.listen.https:
        types.append("tls-alpn-01")
    if acme.dns_hook:
        types.append("dns-01")
    return tuple(types)


def _is_possible(name: str, config: Config, acme: Acme, warnings: list[str]) -> bool:
    """Whether any of the CAs can give a certificate for the name; a warning says why not."""
    plain = name.removeprefix("*.")
    top = plain.rpartition(".")[2]
    if is_local(plain):
        return False
    if top.isdecimal() or ":" in plain:
        warnings.append(f"{name} gets no certificate: it is an address, and CAs are asked for names only")
        return False
    public = all(server.directory in DIRECTORIES.values() for server in acme.servers)
    if "_" in plain:
        warnings.append(f"{name} gets no certificate: CAs give none for names with an underscore")
    elif public and ("." not in plain or top in _PRIVATE_TOPS):
        warnings.append(f"{name} gets no certificate: it is no name of the internet, and the CA is a public one")
    elif name.startswith("*.") and "dns-01" not in possible_types(config, acme):
        if config.tls.on_demand is None:
            warnings.append(f"{name} gets no certificate: a wildcard needs dns-01, and so tls.acme.dns_hook")
    else:
        return True
    return False


def _parent(name: str) -> str:
    """The wildcard that would cover the name."""
    return "*." + name.partition(".")[2]
