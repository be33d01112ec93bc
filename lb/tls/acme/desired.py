"""Which certificates have to be obtained: pure, from what the plan needs and what the files cover.

This file knows names and how they share certificates. It does not know what a CA can issue, or what is in the store.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lb.config.names import is_local, wildcard_of
from lb.config.plan import TlsPlan

_MOST_NAMES = 100  # in one certificate; Let's Encrypt's limit


@dataclass(frozen=True, slots=True)
class DesiredCertificate:
    """One certificate: `name` is one of its names, and its file's."""

    name: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CertificatePlan:
    """`warnings` are about names that get no certificate."""

    wanted: tuple[DesiredCertificate, ...]
    warnings: tuple[str, ...]


def certificate_plan(plan: TlsPlan, is_covered: Callable[[str], bool]) -> CertificatePlan:
    """`is_covered` says whether a certificate from a file covers the name."""
    acme = plan.settings.acme
    per_app = acme is not None and acme.certificate_per == "app"
    warnings: list[str] = []
    groups: list[list[str]] = []
    for needs in plan.needs:
        names = [name for name in needs.names if not is_covered(name)]
        wildcards = {name for name in names if name.startswith("*.")}
        names = [name for name in names if name in wildcards or wildcard_of(name) not in wildcards]
        if per_app:
            groups += [names[start : start + _MOST_NAMES] for start in range(0, len(names), _MOST_NAMES)]
        else:
            groups += [[name] for name in names]
        warnings += [
            f"{name} gets no certificate: {reason}"
            for name, reason in needs.impossible.items()
            if reason and not is_covered(name)
        ]
    return CertificatePlan(tuple(DesiredCertificate(group[0], tuple(group)) for group in groups), tuple(warnings))


def lacking(plan: TlsPlan, is_covered: Callable[[str], bool]) -> tuple[str, ...]:
    """The bound names without a certificate, for which none will be obtained; `is_covered` as above."""
    if not plan.serves_https:
        return ()
    coming = {name for wanted in certificate_plan(plan, is_covered).wanted for name in wanted.names}
    coming |= plan.demanded_wildcards
    return tuple(
        name
        for name in sorted(plan.names)
        if not (is_local(name.removeprefix("*.")) or is_covered(name) or coming.intersection((name, wildcard_of(name))))
    )
