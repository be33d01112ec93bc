"""Figures of certificates for the admin server: read from the store and the files, as `lb certs list` does.

It knows which figures there are and remembers what it has said: with ten thousand certificates a look at each takes
half a second, a look at whether anything was written since does not.
"""

from __future__ import annotations

from threading import Lock

from lb.config.plan import TlsPlan
from lb.telemetry.prometheus import CertificateFigures, render_certificates
from lb.tls.acme.certificate_info import CertificateInfo
from lb.tls.acme.store import Store
from lb.tls.files.certificate import TlsError
from lb.tls.files.certificate_cache import Shelf
from lb.tls.files.inventory import CertificateRow, Listing


class CertificateMetrics:
    """Scrapes may come in several threads at once. `shelf` has what was read of files before: the supervisor has
    judged them all.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._lock = Lock()
        self._shelf = shelf
        self._plan: TlsPlan | None = None
        self._listing: Listing | None = None
        self._stamp: tuple[object, ...] | None = None
        self._said = b""

    def render(self, plan: TlsPlan) -> bytes:
        """Nothing where no HTTPS is served, or the store cannot be read."""
        if not plan.serves_https:
            return b""
        with self._lock:
            if self._listing is None or plan is not self._plan:
                self._plan, self._stamp = plan, None
                self._listing = Listing(Store(plan.settings.store), plan, self._read)
            try:
                stamp = self._listing.stamp()
                if stamp is None or stamp != self._stamp:
                    rows = [row for row in self._listing.rows() if row.kind != "none"]
                    self._said = render_certificates([_figures(row) for row in rows])
                    self._stamp = stamp
            except OSError:
                return b""
            return self._said

    def _read(self, cert: str, key: str | None = None) -> CertificateInfo | None:
        """A certificate as far as its figures are concerned."""
        try:
            found = self._shelf.read(cert, key or cert)
        except TlsError:
            return None
        return CertificateInfo(
            found.names, found.not_before.timestamp(), found.not_after.timestamp(), "", 0, "", found.key_type
        )


def _figures(row: CertificateRow) -> CertificateFigures:
    not_after = None if row.held is None else row.held.not_after
    if row.plan is None:
        return CertificateFigures(row.name, row.kind, not_after, None, None)
    return CertificateFigures(row.name, row.kind, not_after, row.plan["next_attempt"], row.plan["failures"])
