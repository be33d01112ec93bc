"""All known certificates: those of a store, those that a service plans, those of the local authority and, if a
configuration is named, its files and what its domains still lack.

This file reads; it needs no running service, and makes no text for people.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lb.config.names import wildcard_of
from lb.config.plan import TlsPlan
from lb.tls.acme.certificate_info import CertificateInfo, HeldFiles
from lb.tls.acme.desired import certificate_plan, lacking
from lb.tls.acme.store import Store, unstem
from lb.tls.files.file_stamp import is_settled, stamp_of
from lb.tls.files.local_ca import LocalCa

Kind = Literal["acme", "store", "file", "local", "none"]

Read = Callable[[str, str | None], CertificateInfo | None]
"""The signature of HeldFiles.read."""


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """One certificate. `plan` is what the active service plans, None if nothing; `names` are those that it covers, or
    will cover. Without `held` there is none at `path`, or it is unreadable. The kind "none" is a domain of the
    configuration that no certificate covers, and for which none will be obtained.
    """

    name: str
    names: tuple[str, ...]
    kind: Kind
    path: Path | None
    held: CertificateInfo | None
    plan: dict[str, Any] | None = None

    def is_about(self, name: str) -> bool:
        return name == self.name or name in self.names


class CertificateInventory:
    """`plan` is None if only a store is examined; `read` is for callers that know the files already."""

    def __init__(self, store: Store, plan: TlsPlan | None, read: Read | None = None) -> None:
        self._store = store
        self._plan = plan
        self._read = read or HeldFiles().read
        self._local_names = self._uncovered(plan.local_names) if plan is not None and plan.serves_https else ()

    def stamp(self) -> tuple[object, ...] | None:
        """Changes whenever `rows` may change; None if something was written just now, and may be written once more
        without a visible change. A file of the store is replaced, never written to. Raises OSError.
        """
        pairs = () if self._plan is None else self._plan.settings.certificates
        paths = [*(path for pair in pairs for path in (pair.cert, pair.key)), LocalCa(self._store.root).served]
        stamps = [stamp_of(f"{self._store.root}/certificates"), *(stamp_of(str(path)) for path in paths)]
        return (self._store.status_text(), *stamps) if is_settled(*stamps) else None

    def rows(self) -> list[CertificateRow]:
        """In the order of their names, read from the right. Raises OSError for a store that cannot be read."""
        rows = [*self._stored(), *self._of_files(), *self._local()]
        known = {name for row in rows for name in row.names}
        rows += self._lacking(known)
        return sorted(rows, key=lambda row: row.name.split(".")[::-1])

    def _stored(self) -> Iterator[CertificateRow]:
        status = self._store.status() or {}
        plans: dict[str, dict[str, Any]] = {plan["name"]: plan for plan in status.get("certificates", ())}
        if self._plan is not None and self._plan.settings.acme is None:
            plans = {}  # of a service that used it earlier
        files = {unstem(path.rpartition("/")[2].removesuffix(".pem")): path for path in self._store.certificate_files()}
        for name in plans.keys() | files.keys():
            file, plan = files.get(name), plans.get(name)
            held = None if file is None else self._read(file, None)
            path = None if file is None else Path(file)
            intended = () if plan is None else plan.get("names", ())
            yield CertificateRow(
                name, _names(held, name, *intended), "store" if plan is None else "acme", path, held, plan
            )

    def _of_files(self) -> Iterator[CertificateRow]:
        for files in () if self._plan is None else self._plan.settings.certificates:
            held = self._read(str(files.cert), str(files.key))
            name = min(held.names) if held is not None and held.names else str(files.cert)
            yield CertificateRow(name, _names(held), "file", files.cert, held)

    def _uncovered(self, names: Collection[str]) -> tuple[str, ...]:
        """The names that no file of the configuration has; without names no file is read."""
        covered = {name for row in (self._of_files() if names else ()) if row.held is not None for name in row.names}
        return tuple(name for name in names if covered.isdisjoint((name, wildcard_of(name))))

    def _local(self) -> Iterator[CertificateRow]:
        """The local authority's; not yet made if a configuration needs one and was never served."""
        path = LocalCa(self._store.root).served
        held = self._read(str(path), None)
        names = _names(held, *self._local_names)
        if names or path.exists():
            yield CertificateRow(
                names[0] if names else str(path), names, "local", path if path.exists() else None, held
            )

    def _lacking(self, known: set[str]) -> Iterator[CertificateRow]:
        """What ACME will obtain as soon as the configuration is served, and what nothing will."""
        if self._plan is None:
            return

        def is_known(name: str) -> bool:
            return name in known or wildcard_of(name) in known

        for wanted in certificate_plan(self._plan, is_known).wanted:
            yield CertificateRow(wanted.name, wanted.names, "acme", None, None)
        for name in lacking(self._plan, is_known):
            yield CertificateRow(name, (name,), "none", None, None)


def _names(held: CertificateInfo | None, *more: str) -> tuple[str, ...]:
    return tuple(sorted({*more, *(() if held is None else held.names)}))
