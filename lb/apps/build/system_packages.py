"""Whether what `systemDependencies` names is on this machine, and the command that brings what is not (B9)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from glob import glob

from lb.apps.project.system_dependencies import SYSTEM_DEPENDENCIES, SystemDependency

_LIBRARIES = ("/usr/lib/*-*/", "/usr/lib/", "/usr/lib64/", "/usr/local/lib/", "/lib/*-*/", "/opt/homebrew/lib/")
_SHARED = ("/usr/share/", "/usr/local/share/")


def missing(names: Iterable[str], path: str | None = None) -> list[str]:
    """Those of the names that are not there; commands are looked for on `path`."""
    return [name for name in names if not _is_there(SYSTEM_DEPENDENCIES[name], path)]


def apt_packages(names: Iterable[str]) -> list[str]:
    """The Debian packages that bring them."""
    return list(dict.fromkeys(package for name in names for package in SYSTEM_DEPENDENCIES[name].packages))


def sources(names: Iterable[str]) -> list[str]:
    """What to do for those that no Debian package brings."""
    return [source for name in names if (source := SYSTEM_DEPENDENCIES[name].source)]


def apt_command(packages: Iterable[str]) -> tuple[str, ...]:
    return ("apt-get", "install", "-y", "--no-install-recommends", *packages)


def _is_there(wanted: SystemDependency, path: str | None) -> bool:
    command = not wanted.commands or any(shutil.which(name, path=path) for name in wanted.commands)
    libraries = all(any(glob(f"{place}lib{name}.so*") for place in _LIBRARIES) for name in wanted.libraries)  # noqa: PTH207
    folders = not wanted.folders or any(os.path.isdir(place + name) for place in _SHARED for name in wanted.folders)  # noqa: PTH112
    return command and libraries and folders
