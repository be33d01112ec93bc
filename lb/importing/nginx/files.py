"""Reads the files of a configuration of nginx: the main one and what it includes.

This file knows paths; what a directive means is for others to know, but for `include`.
"""

from __future__ import annotations

from glob import glob, has_magic
from pathlib import Path

from lb.config.regular import read_regular
from lb.importing.nginx.syntax import Directive, parse
from lb.importing.omissions import Omissions, Weight
from lb.importing.source_line import SourceLine, UnreadableSourceError

_LARGEST = 8 << 20  # bytes of a file
_MOST_FILES = 1000
_DEEPEST = 20
_HOME = "/etc/nginx/"
# Files that every installation has, and that hold nothing that a configuration of lb has.
_ORDINARY = frozenset(
    (
        "mime.types",
        "fastcgi_params",
        "fastcgi.conf",
        "uwsgi_params",
        "scgi_params",
        "proxy_params",
        "options-ssl-nginx.conf",
        "ssl-dhparams.pem",
        "fastcgi-php.conf",
    )
)


class SourceFiles:
    """The directives of a file, with those that it includes in their places."""

    def __init__(self, main: Path, omissions: Omissions) -> None:
        self._main = main
        self._omissions = omissions
        self._read = 0

    def directives(self) -> tuple[Directive, ...]:
        """Raises UnreadableSourceError."""
        return self._file(self._main, self._main.name, 0)

    def _file(self, path: Path, name: str, depth: int) -> tuple[Directive, ...]:
        self._read += 1
        if depth > _DEEPEST or self._read > _MOST_FILES:
            raise UnreadableSourceError(SourceLine(name, 0), "files include each other without end")
        return self._with_includes(parse(name, read_text(path, name)), depth)

    def _with_includes(self, directives: tuple[Directive, ...], depth: int) -> tuple[Directive, ...]:
        found: list[Directive] = []
        for one in directives:
            if one.name == "include" and one.block is None:
                found += self._included(one, depth)
            elif one.block is not None:
                block = self._with_includes(one.block, depth)
                found.append(Directive(one.name, one.arguments, one.at, block))
            else:
                found.append(one)
        return tuple(found)

    def _included(self, include: Directive, depth: int) -> list[Directive]:
        written = include.first()
        paths = self._paths(written)
        if not paths and not has_magic(written) and Path(written).name not in _ORDINARY:
            message = f"{written} is not here, so whatever it says is missing"
            hint = "import on the machine that has it, or copy the directory of the configuration with it"
            self._omissions.add(Weight.ACCESS, include.at, message, hint)
        found: list[Directive] = []
        for path in paths:
            if path.name not in _ORDINARY:
                found += self._file(path, self._short(path), depth + 1)
        return found

    def _paths(self, written: str) -> list[Path]:
        """What a pattern stands for: as it is, or in a copy of /etc/nginx beside the main file."""
        home = self._main.parent
        for pattern in (written, written.removeprefix(_HOME)):
            paths = [Path(path) for path in sorted(glob(str(home / pattern))) if Path(path).is_file()]  # noqa: PTH207 - absolute ones, too
            if paths:
                return paths
        return []

    def _short(self, path: Path) -> str:
        """The path as it is shown: from the directory of the main file, if it is below that."""
        home = self._main.parent
        return str(path.relative_to(home)) if path.is_relative_to(home) else str(path)


def read_text(path: Path, name: str) -> str:
    """The text of a file. Raises UnreadableSourceError."""
    at = SourceLine(name, 0)
    try:
        data = read_regular(path, _LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadableSourceError(at, f"this file cannot be read: {reason}") from None
    if len(data) > _LARGEST:
        raise UnreadableSourceError(at, f"this file is larger than {_LARGEST >> 20} MiB")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise UnreadableSourceError(at, "this file is not UTF-8 text") from None
