"""The trust lists of this machine, and how an authority is added and removed.

The system's list serves curl, Python's `ssl`, Go and others; Firefox and Chromium have databases of their own (NSS).
This file knows directories and their commands, but not what the authority is for. Entries are named after the
authority's fingerprint, so that exactly what was added is removed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from ssl import PEM_cert_to_DER_cert
from typing import Protocol

_TIMEOUT = 120.0  # seconds that a system command has
_NSS_NAME = "lb local authority"


class StoreError(Exception):
    """Why an authority could not be added or removed."""


@dataclass(frozen=True, slots=True)
class RootCertificate:
    """The authority's own certificate, a PEM file."""

    path: Path

    @property
    def fingerprint(self) -> str:
        return sha256(PEM_cert_to_DER_cert(self.path.read_text())).hexdigest()[:16]


class TrustStore(Protocol):
    """One list of authorities. The methods return whether something was changed, and raise StoreError."""

    @property
    def title(self) -> str: ...

    def trust(self, root: RootCertificate) -> bool: ...

    def untrust(self, root: RootCertificate) -> bool: ...


@dataclass(frozen=True, slots=True)
class SystemStore:
    """A directory of files, and the commands that build the system's list from it."""

    directory: Path
    ending: str
    refresh: tuple[str, ...]
    refresh_all: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"the system ({self.directory})"

    def trust(self, root: RootCertificate) -> bool:
        target = self._file(root)
        if target.exists():
            return False
        try:
            shutil.copyfile(root.path, target)
        except OSError as error:
            raise StoreError(_about(error)) from error
        _run(self.refresh)
        return True

    def untrust(self, root: RootCertificate) -> bool:
        target = self._file(root)
        if not target.exists():
            return False
        try:
            target.unlink()
        except OSError as error:
            raise StoreError(_about(error)) from error
        _run(self.refresh_all)
        return True

    def _file(self, root: RootCertificate) -> Path:
        return self.directory / f"lb-local-{root.fingerprint}.{self.ending}"


@dataclass(frozen=True, slots=True)
class NssStore:
    """An NSS database, of Firefox, Chromium and others."""

    directory: Path

    @property
    def title(self) -> str:
        return f"browsers ({self.directory})"

    def trust(self, root: RootCertificate) -> bool:
        if self._has(root):
            return False
        self._certutil("-A", "-t", "C,,", "-n", self._name(root), "-i", str(root.path))
        return True

    def untrust(self, root: RootCertificate) -> bool:
        if not self._has(root):
            return False
        self._certutil("-D", "-n", self._name(root))
        return True

    def _has(self, root: RootCertificate) -> bool:
        try:
            self._certutil("-L", "-n", self._name(root))
        except StoreError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise
            return False
        return True

    def _name(self, root: RootCertificate) -> str:
        return f"{_NSS_NAME} {root.fingerprint}"

    def _certutil(self, *arguments: str) -> None:
        try:
            _run(("certutil", *arguments, "-d", f"sql:{self.directory}"))
        except FileNotFoundError as error:
            raise StoreError("certutil is missing; it is in libnss3-tools or nss-tools") from error


# Debian and Ubuntu, Fedora and its derivatives, Arch, SUSE: the first whose directory and command exist.
_SYSTEMS = (
    SystemStore(
        Path("/usr/local/share/ca-certificates"),
        "crt",
        ("update-ca-certificates",),
        ("update-ca-certificates", "--fresh"),
    ),
    SystemStore(
        Path("/etc/pki/ca-trust/source/anchors"), "pem", ("update-ca-trust", "extract"), ("update-ca-trust", "extract")
    ),
    SystemStore(
        Path("/etc/ca-certificates/trust-source/anchors"),
        "crt",
        ("trust", "extract-compat"),
        ("trust", "extract-compat"),
    ),
    SystemStore(
        Path("/etc/pki/trust/anchors"), "pem", ("update-ca-certificates",), ("update-ca-certificates", "--fresh")
    ),
)
# Under the home directory: profiles of Firefox, and the database that Chromium-based browsers share, at its old and its
# new place; the same for browsers in snap and Flatpak.
_DATABASES = (
    ".pki/nssdb",
    ".local/share/pki/nssdb",
    ".mozilla/firefox/*",
    ".config/mozilla/firefox/*",
    "snap/firefox/common/.mozilla/firefox/*",
    "snap/firefox/common/.config/mozilla/firefox/*",
    "snap/*/current/.pki/nssdb",
    "snap/*/current/.local/share/pki/nssdb",
    ".var/app/*/.mozilla/firefox/*",
    ".var/app/*/config/mozilla/firefox/*",
    ".var/app/*/.pki/nssdb",
    ".var/app/*/data/pki/nssdb",
)
_CHROMIUMS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "brave-browser",
    "microsoft-edge",
    "vivaldi",
)
_BROWSERS = (("Chromium", _CHROMIUMS), ("Firefox", ("firefox", "firefox-esr")))


def find_stores(home: Path, systems: Sequence[SystemStore] = _SYSTEMS) -> Iterator[TrustStore]:
    """The lists on this machine, for the user with this home directory."""
    for system in systems:
        if system.directory.is_dir() and shutil.which(system.refresh[0]) is not None:
            yield system
            break
    found = (directory for pattern in _DATABASES for directory in sorted(home.glob(pattern)))
    for directory in dict.fromkeys((*found, *_of_data_home())):
        if (directory / "cert9.db").is_file():
            yield NssStore(directory)


def _of_data_home() -> Iterator[Path]:
    if directory := os.environ.get("XDG_DATA_HOME"):
        yield Path(directory) / "pki" / "nssdb"


def unreached(stores: Iterable[TrustStore], environ: Mapping[str, str]) -> Iterator[str]:
    """Programs on this machine that none of these `stores` serves, with the way to reach them."""
    stores = list(stores)
    if not any(isinstance(store, SystemStore) for store in stores):
        yield "the system: the place of its list of authorities is unknown"
    names = {_browser_of(store) for store in stores if isinstance(store, NssStore)}
    for browser, commands in _BROWSERS:
        command = next((one for one in commands if shutil.which(one, path=environ.get("PATH"))), None)
        if command is not None and browser not in names:
            yield f"{browser} ({command}): it has no list yet; start it once, then run this command again"
    if user := environ.get("SUDO_USER"):
        yield f"the browsers of {user}: run this command again as {user}, without sudo"


def _browser_of(store: NssStore) -> str:
    return "Chromium" if store.directory.name == "nssdb" else "Firefox"


def _run(command: Sequence[str]) -> None:
    """Raises StoreError with the last line of the output, and FileNotFoundError if there is no such command."""
    try:
        done = subprocess.run(  # noqa: S603  a command of the table above and our own paths, without a shell
            command, capture_output=True, text=True, timeout=_TIMEOUT, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise StoreError(f"{command[0]} did not end within {_TIMEOUT:.0f} s") from error
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
        raise StoreError(f"{command[0]} ended with status {done.returncode}: {words[-1]}")


def _about(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "permission denied: run this command again with sudo"
    return f"{error.filename}: {error.strerror}"
