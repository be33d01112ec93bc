"""Figures of certificates for the admin server: read from the store and the files, as `lb certs list` does.

It knows which figures there are and remembers what it has said: with ten thousand certificates a look at each takes
half a second, a look at whether anything was written since does not.
"""

from __future__ import annotations

from threading import Lock

from lb.config.model import Config
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
        self._config: Config | None = None
        self._listing: Listing | None = None
        self._stamp: tuple[object, ...] | None = None
        self._said = b""

    def render(self, config: Config) -> bytes:
        """Nothing where no HTTPS is served, or the store cannot be read."""
        if not config.listen.https:
            return b""
        with self._lock:
            if self._listing is None or config is not self._config:
                self._config, self._listing, self._stamp = (
                    config,
                    Listing(Store(config.tls.store), config, self._read),
                    None,
                )
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
