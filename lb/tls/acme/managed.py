"""One wanted certificate as the manager sees it: what we hold, what is remembered, and so what to do when.

This file decides and does nothing: no network, no files. Times are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lb.tls.acme.certificate_info import CertificateInfo
from lb.tls.acme.desired import DesiredCertificate
from lb.tls.acme.policy import Failure, chance, is_urgent, pick, renewal_time
from lb.tls.acme.state import State


@dataclass(slots=True)
class ManagedCertificate:
    """`asked` says that a renewal was requested; `busy_until` that another lb is working on it."""

    wanted: DesiredCertificate
    held: CertificateInfo | None = None
    state: State = field(default_factory=State)
    asked: bool = False
    busy_until: float = 0.0
    _due: tuple[tuple[object, ...], float] | None = field(default=None, repr=False, compare=False)

    @property
    def fits(self) -> bool:
        """Whether the certificate we hold has all names."""
        return self.held is not None and self.held.names.issuperset(self.wanted.names)

    def due(self) -> float:
        """When to renew the certificate we hold; 0 if there is none."""
        # Ten thousand are queried several times per look: the answer is cached while its inputs stay.
        basis = self.held, self.wanted, self.state, self.asked
        if self._due is None or self._due[0] != basis:
            self._due = basis, self._renewal_due()
        return self._due[1]

    def _renewal_due(self) -> float:
        if self.held is None or not self.fits or self.asked:
            return 0.0
        renewal = self.state.renewal
        window = renewal.window if renewal is not None and renewal.ari == self.held.ari else None
        luck = chance(self.held.ari or self.held.serial)
        return renewal_time(self.held.not_before, self.held.not_after, window, luck)

    def is_urgent(self, now: float) -> bool:
        if self.held is None or not self.fits:
            return True
        return is_urgent(self.held.not_after, self.held.lifetime, now)

    def next_attempt(self, cas: Sequence[str], pauses: Mapping[str, Failure], now: float) -> tuple[float, str | None]:
        """(when to try, which CA if that is now). `pauses` are CAs that are not asked for the time being."""
        due = self.due()
        if due > now or self.busy_until > now:
            return max(due, self.busy_until), None
        failures = [] if self.asked else list(self.state.failures)
        for pause in pauses.values():
            own = next((one for one in failures if one.ca == pause.ca), None)
            if own is None or own.next_at < pause.next_at:
                failures = [one for one in failures if one.ca != pause.ca] + [pause]
        ca, at = pick(cas, failures, now=now, urgent=self.is_urgent(now))
        return at, ca

    def last_failure(self) -> Failure | None:
        return max(self.state.failures, key=lambda one: one.at, default=None)

    def look_due(self, now: float) -> bool:
        """Whether the CA may be asked about renewal again."""
        if self.held is None or not self.held.ari or not self.state.ca or self.busy_until > now:
            return False
        renewal = self.state.renewal
        return renewal is None or renewal.ari != self.held.ari or renewal.next_look <= now

    def as_status(self, at: float | None, pause: Failure | None) -> dict[str, Any]:
        """The part of it that `lb certs` shows."""
        failure = pause or self.last_failure()
        renewal = self.state.renewal
        return {
            "name": self.wanted.name,
            "names": list(self.wanted.names),
            "ca": self.state.ca,
            "next_attempt": at,
            "failures": 0 if failure is None else failure.count,
            "last_error": "" if failure is None else failure.message,
            "last_error_at": None if failure is None else failure.at,
            "explanation": "" if renewal is None else renewal.explanation,
        }
