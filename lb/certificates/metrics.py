"""Certificate metrics for the admin server, read from the store and the files as `lb certs list` does.

The result is cached: reading ten thousand certificates takes half a second, checking whether anything was written since
does not.
"""

from __future__ import annotations

from threading import Lock

from lb.config.plan import TlsPlan
from lb.telemetry.prometheus import CertificateFigures, render_certificates
from lb.tls.acme.certificate_info import CertificateInfo
from lb.tls.acme.store import Store
from lb.tls.files.certificate import TlsError
from lb.tls.files.certificate_cache import CertificateCache
from lb.tls.files.inventory import CertificateInventory, CertificateRow


class CertificateMetrics:
    """Scrapes may run in several threads at once. `shelf` holds files that were read before: the supervisor has
    validated them all.
    """

    def __init__(self, shelf: CertificateCache) -> None:
        self._lock = Lock()
        self._shelf = shelf
        self._plan: TlsPlan | None = None
        self._listing: CertificateInventory | None = None
        self._stamp: tuple[object, ...] | None = None
        self._said = b""

    def render(self, plan: TlsPlan) -> bytes:
        """Empty if HTTPS is not served, or the store cannot be read."""
        if not plan.serves_https:
            return b""
        with self._lock:
            if self._listing is None or plan is not self._plan:
                self._plan, self._stamp = plan, None
                self._listing = CertificateInventory(Store(plan.settings.store), plan, self._read)
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
        """What the metrics need of a certificate."""
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
