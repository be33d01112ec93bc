"""The store: what must outlive the process, as files in one directory that several lb services may share.

    accounts/CA/       the account's key and URL, one directory per CA
    certificates/      NAME.pem: private key and chain in one file, so that the pair is replaced in one move
    orders/            NAME.json, NAME.key: an order under way, and the key that its certificate will have
    states/            NAME.json: what failed, and when it is tried again; what the CA says about renewal
    challenges/        TOKEN: the answer to HTTP-01; NAME.alpn: the certificate that answers TLS-ALPN-01
    requests/          NAME: a renewal is requested
    locks/             NAME.lock: held by the service that works on it
    status.json        what the active service plans, for `lb certs`

This file knows paths, locks and bytes; the contents of an order or a state are known to their writers. Every write is
atomic, so a crash leaves the state before a step or the state after it. Workers read certificates and challenges from
here: nothing in this file imports an HTTP client.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from lb.config.regular import read_regular
from lb.tls.files.atomic_write import is_half, remove_file, write_file
from lb.tls.files.file_stamp import Stamp, is_settled, stamp_of

log = logging.getLogger("lb.certificates")

T = TypeVar("T")

ACCOUNT_KEY = "account-key"  # a request for new account keys; other requests are names
_PARTS = ("accounts", "certificates", "orders", "states", "challenges", "requests", "locks")
_NAME = re.compile(r"(\*\.)?[a-z0-9_-][a-z0-9._-]{0,252}")
_STALE = 86400.0  # seconds after which a challenge's answer is no longer needed


def stem(name: str) -> str:
    """A name's file name without its suffix: a wildcard's star, which shells would expand, becomes `_`.

    No authority issues certificates for names with an underscore, so the two are never confused. Raises ValueError.
    """
    if not _NAME.fullmatch(name) or ".." in name:
        raise ValueError(f"{name!r} cannot name a certificate")
    return "_" + name[1:] if name.startswith("*.") else name


def unstem(text: str) -> str:
    """The name for a file name's stem."""
    return "*" + text[1:] if text.startswith("_.") else text


class Store:
    """Methods raise OSError when the disk fails; what cannot be read as expected counts as absent."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._prepared = False  # this process has made it
        self._states: dict[str, tuple[Stamp, dict[str, Any] | None]] = {}  # those that were read, and have settled

    def prepare(self) -> None:
        """Make the directories, which only the owner may read."""
        self.root.mkdir(0o700, parents=True, exist_ok=True)
        for part in _PARTS:
            (self.root / part).mkdir(mode=0o700, exist_ok=True)
        self._prepared = True

    # Certificates

    @property
    def challenges(self) -> Path:
        """The directory of the answers to challenges, for the workers."""
        return self.root / "challenges"

    def certificate_path(self, name: str) -> Path:
        return self.root / "certificates" / f"{stem(name)}.pem"

    def certificate_file(self, name: str) -> str:
        """The same as a string (see `certificate_files`)."""
        return f"{self.root}/certificates/{stem(name)}.pem"

    def certificate_paths(self) -> list[Path]:
        """Every certificate's file, by name."""
        found = (self.root / "certificates").glob("[!.]*.pem")
        return sorted(found, key=lambda path: path.name)  # comparing thousands of paths takes long

    def certificate_files(self) -> list[str]:
        """The same as strings, for frequent use: ten thousand Paths take a tenth of a second."""
        try:
            found = os.listdir(self.root / "certificates")  # noqa: PTH208  names, without a path made of each
        except (FileNotFoundError, NotADirectoryError):
            return []
        directory = f"{self.root}/certificates/"
        return [directory + name for name in sorted(found) if name.endswith(".pem") and not name.startswith(".")]

    def certificate(self, name: str) -> bytes | None:
        return self._read(self.certificate_path(name))

    def install(self, name: str, key: bytes, chain: bytes) -> None:
        """Replace the old certificate by a new one."""
        self._write(self.certificate_path(name), key.rstrip(b"\n") + b"\n" + chain)

    def stamp(self) -> tuple[int, ...]:
        """Changes whenever a certificate has come or gone, or something is requested (see `StoreWatch`)."""
        return tuple(self._mtime(part) for part in ("certificates", "requests"))

    # Orders

    def order(self, name: str) -> dict[str, Any] | None:
        return self._json(self.root / "orders" / f"{stem(name)}.json")

    def save_order(self, name: str, record: dict[str, Any]) -> None:
        self._write(self.root / "orders" / f"{stem(name)}.json", _dump(record))

    def order_key(self, name: str) -> bytes | None:
        return self._read(self.root / "orders" / f"{stem(name)}.key")

    def save_order_key(self, name: str, key: bytes) -> None:
        self._write(self.root / "orders" / f"{stem(name)}.key", key)

    def drop_order(self, name: str) -> None:
        """The record first: a key without its order is harmless, an order without its key can never be finished."""
        for ending in ("json", "key"):
            self._remove(self.root / "orders" / f"{stem(name)}.{ending}")

    # States

    def state(self, name: str) -> dict[str, Any] | None:
        """Only what was written since is read: thousands are read whenever one has changed."""
        path = f"{self.root}/states/{stem(name)}.json"
        stamp = stamp_of(path)
        known = self._states.get(name)
        if known is not None and stamp and known[0] == stamp:
            return known[1]
        settled = is_settled(stamp)
        found = self._json(Path(path))
        if stamp and settled:
            self._states[name] = stamp, found
        return found

    def save_state(self, name: str, state: dict[str, Any]) -> None:
        self._write(self.root / "states" / f"{stem(name)}.json", _dump(state))

    def status(self) -> dict[str, Any] | None:
        return self._json(self.root / "status.json")

    def status_text(self) -> bytes | None:
        """The same as written: its time changes with every sign of life, its content seldom."""
        return self._read(self.root / "status.json")

    def save_status(self, status: dict[str, Any]) -> None:
        self._write(self.root / "status.json", json.dumps(status).encode())  # large, and written often

    def show_life(self) -> bool:
        """Show that a service works on the store, without writing anything; False if nothing is written yet."""
        try:
            os.utime(self.root / "status.json")
        except FileNotFoundError:
            return False
        except OSError:
            return True  # it cannot be written, either
        return True

    def seen_at(self) -> float | None:
        """When a service last did so, in seconds since the epoch."""
        try:
            return (self.root / "status.json").stat().st_mtime
        except OSError:
            return None

    # Accounts

    def account_part(self, directory: str, part: str) -> bytes | None:
        """`part` is account.json, key.pem or next.pem."""
        return self._read(self._account(directory) / part)

    def save_account_part(self, directory: str, part: str, data: bytes) -> None:
        self._again_if_removed(lambda: self._account(directory).mkdir(mode=0o700, exist_ok=True))
        self._write(self._account(directory) / part, data)

    def drop_account_part(self, directory: str, part: str) -> None:
        self._remove(self._account(directory) / part)

    def _account(self, directory: str) -> Path:
        return self.root / "accounts" / account_slug(directory)

    # Challenges

    def put_answer(self, token: str, answer: str) -> None:
        self._write(self.challenges / token, answer.encode())

    def put_alpn(self, name: str, pem: bytes) -> None:
        """The certificate, with its key, that answers TLS-ALPN-01 for a name."""
        self._write(self.challenges / f"{stem(name)}.alpn", pem)

    def drop_answer(self, file: str) -> None:
        """`file` is a token, or a name followed by `.alpn`."""
        self._remove(self.challenges / file)

    def sweep(self) -> None:
        """Remove what a crash left: answers that are no longer needed, and partial files."""
        now = time.time()
        parts = [self.root / part for part in _PARTS]
        accounts = [path for path in parts[0].iterdir() if path.is_dir()]
        local = [path for path in (self.root / "local",) if path.is_dir()]
        for directory in (self.root, *parts, *accounts, *local):
            for path in directory.iterdir():
                if is_half(path.name) or directory == self.challenges:
                    with suppress(IsADirectoryError, PermissionError):
                        if now - self._age_of(path, now) > _STALE:
                            self._remove(path)

    # Requests

    def ask_for(self, request: str) -> None:
        """Request a renewal from the active service: `request` is a name, or account-key for a new account key."""
        file = stem(request)
        self._write(self.root / "requests" / file, b"")

    def requests(self) -> list[str]:
        """The requests that were not taken yet."""
        return sorted(unstem(path.name) for path in (self.root / "requests").glob("[!.]*"))

    def take_request(self, request: str) -> None:
        self._remove(self.root / "requests" / stem(request))

    # Locks

    @contextmanager
    def lock(self, name: str) -> Iterator[bool]:
        """Yields whether the lock is ours until the block ends; it ends with the process, too. Never waits."""
        path = self.root / "locks" / f"{stem(name)}.lock"
        descriptor = self._again_if_removed(lambda: os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)

    # Bytes

    def _read(self, path: Path) -> bytes | None:
        try:
            return read_regular(path)
        except FileNotFoundError:
            return None

    def _json(self, path: Path) -> dict[str, Any] | None:
        data = self._read(path)
        try:
            value = None if data is None else json.loads(data)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None

    def _write(self, path: Path, data: bytes) -> None:
        self._again_if_removed(lambda: write_file(path, data))

    def _again_if_removed(self, step: Callable[[], T]) -> T:
        """If the store was removed while in use, make it again, and repeat the step once."""
        try:
            return step()
        except FileNotFoundError:
            if not self._prepared or all((self.root / part).is_dir() for part in _PARTS):
                raise
            log.warning("the store %s was removed: making it again", self.root)
            self.prepare()
            return step()

    def _remove(self, path: Path) -> None:
        remove_file(path)

    def _mtime(self, part: str) -> int:
        try:
            return (self.root / part).stat().st_mtime_ns
        except (FileNotFoundError, NotADirectoryError):
            return 0

    def _age_of(self, path: Path, now: float) -> float:
        try:
            return path.stat().st_mtime
        except FileNotFoundError:
            return now


class StoreWatch:
    """Detects changes of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stamp = store.stamp()
        self._again = False

    def changed(self) -> bool:
        """Whether it has changed since the last call. Something read right after a write may have been written again
        with the same time, so every change is examined once more.
        """
        stamp = self._store.stamp()
        is_new = stamp != self._stamp
        changed, self._again, self._stamp = is_new or self._again, is_new, stamp
        return changed


def account_slug(directory: str) -> str:
    """A CA's directory name: its host, and a digest if one host has several directories."""
    host = re.sub(r"[^a-z0-9.-]", "_", urlsplit(directory).netloc.lower())
    return f"{host}-{hashlib.sha256(directory.encode()).hexdigest()[:8]}"


def _dump(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n"
