"""Maintains certificates and ticket keys while the service runs: a look every few seconds, in a process of its own.

Files are compared by content: a single file that is mounted into a container never reports a change, and an atomic
replacement may keep the time. A change counts once it is stable between two looks, so a pair of files that is being
written is left alone; and what cannot be used then is reported, and the previous content stays in use.

This file knows files and keys. It does not know processes: its caller tells the workers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from lb.config.model import CertificateFiles
from lb.tls.files.certificate import Certificate, content_digest, file_digest
from lb.tls.handshake.contexts import Contexts
from lb.tls.handshake.sni_map import Presented, present

log = logging.getLogger("lb.certificates")

Files = Callable[[], Iterable[CertificateFiles]]
"""The files that others replace."""


_Digests = dict[CertificateFiles | Path, bytes | None]


class CertificateWatcher:
    """`contexts` are this process's copy: what they present is what the workers began with. `stored` says whether a
    store of certificates has changed since its last call, if nothing else watches it.
    """

    def __init__(self, contexts: Contexts, files: Files, stored: Callable[[], bool] = lambda: False) -> None:
        self._files = files
        self._stored = stored
        self._tickets = contexts.tickets
        known = contexts.presented.loaded
        loaded = {pair: known[pair] for pair in files() if pair in known}
        before = contexts.presented
        self._presented = replace(before, loaded=loaded)
        self._judged: _Digests = {pair: one.digest for pair, one in loaded.items()}
        self._judged |= {path: one.digest for path, one in before.authorities.items()}
        self._seen: _Digests = {}
        if not self._tickets.can_rotate:
            log.warning("session-ticket keys stay the same while lb runs: the OpenSSL in use cannot be reached")

    def look(self) -> bool:
        """Whether the workers have to apply something: certificates that were replaced, or a new ticket key.

        Raises OSError if something could not be examined, and nothing else was found.
        """
        found, failed = False, None
        for look in (self._look_at_files, self._stored, self._look_at_keys):
            try:
                found = look() or found
            except OSError as error:
                failed = error  # the other checks are still made
        if failed is not None and not found:
            raise failed
        return found

    def _look_at_keys(self) -> bool:
        if not self._tickets.can_rotate or self._tickets.due() > 0:
            return False
        self._tickets.rotate()
        return True

    def _look_at_files(self) -> bool:
        files = tuple(self._files())
        seen: _Digests = {pair: content_digest(pair) for pair in files}
        seen |= {path: file_digest(path) for path in self._presented.authorities}
        still = seen == self._seen
        self._seen = seen
        if not still or seen == self._judged:
            return False
        self._judged = seen
        before = self._presented
        now = self._presented = present(files, before, lenient=True)
        for problem in now.problems:
            log.error("%s; what was there before stays in use", problem)
        for certificate in _new(before, now):
            names = ", ".join(sorted(certificate.names))
            log.info("%s was replaced: %s, until %s", certificate.path, names, f"{certificate.not_after:%Y-%m-%d}")
        for path, authority in now.authorities.items():
            if authority != before.authorities[path]:
                log.info("%s was replaced: clients need certificates of these authorities from now on", path)
        return now.loaded != before.loaded or now.authorities != before.authorities


def _new(before: Presented, now: Presented) -> list[Certificate]:
    return [one for pair, one in now.loaded.items() if before.loaded.get(pair) != one]
