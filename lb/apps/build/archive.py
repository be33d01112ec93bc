"""An upload: a folder → a tar file, and a tar or zip file → a folder, or a refusal before a byte is written.

Where each member would come to stand, and where each link leads, is computed from the archive's own list: what leads
out is refused, whatever the extracting library thinks of it. This file must not know what a project is.
"""

from __future__ import annotations

import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from lb.apps.project.ignore import IgnoreRules, walk
from lb.config.problems import quoted
from lb.config.units import show_size

_MOST_LINKS = 40  # that lead from one to the next
_PIECE = 1 << 20
_DATA = stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH  # 755: no setuid, not for others
# What the libraries raise for archives that are broken, encrypted (RuntimeError) or packed in an unknown way
# (NotImplementedError).
_UNREADABLE = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(EOFError, ValueError, RuntimeError, NotImplementedError),
)
_FILE, _FOLDER, _LINK, _HARD, _OTHER = "file", "folder", "link", "hard link", "device"


class ArchiveError(Exception):
    """An archive that is refused; the text says which member, and why."""


@dataclass(frozen=True, slots=True)
class ArchiveBounds:
    """How many entries an archive may have, and how many bytes all of them together."""

    entries: int = 200_000
    size: int = 4 << 30


@dataclass(frozen=True, slots=True)
class _Member:
    """One entry: `target` is where a link leads, `open` gives a file's content."""

    name: str
    kind: str
    size: int
    mode: int
    target: str
    open: Callable[[], IO[bytes]] | None


def pack(root: Path, into: BinaryIO, rules: IgnoreRules) -> int:
    """Writes what `rules` leave of a folder as a compressed tar file; the bytes of its files. Raises OSError."""
    total = 0
    with tarfile.open(fileobj=into, mode="w:gz", compresslevel=3, format=tarfile.PAX_FORMAT) as tar:
        for path in walk(root, rules):
            member = tar.gettarinfo(root / path, path)
            if member is None or not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
                continue  # a socket or a pipe is no part of a project
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            if member.isreg():
                with (root / path).open("rb") as file:
                    tar.addfile(member, file)
                total += member.size
            else:
                tar.addfile(member)
    return total


def unpack(archive: Path, into: Path, bounds: ArchiveBounds | None = None) -> int:
    """Extracts a tar or zip file into the folder `into`, which must not be there yet; the bytes of its files.

    Raises ArchiveError, and leaves nothing then.
    """
    bounds = bounds or ArchiveBounds()
    aside = into.with_name(f".{into.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        with _opened(archive) as found:
            members = _checked(found, bounds)
            aside.mkdir(mode=0o700, parents=True)
            written = _extract(members, aside, bounds.size)
        aside.rename(into)
    except _UNREADABLE as error:
        raise ArchiveError(f"this is no archive that can be read: {error}") from None
    except OSError as error:
        raise ArchiveError(f"the archive cannot be extracted: {error.strerror or error}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return written


class _opened:  # noqa: N801  it is used as a function
    """The members of an archive, tar or zip, while it is open."""

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        self._file: tarfile.TarFile | zipfile.ZipFile | None = None

    def __enter__(self) -> Iterator[_Member]:
        if zipfile.is_zipfile(self._archive):
            self._file = zipfile.ZipFile(self._archive)
            return _of_zip(self._file)
        self._file = tarfile.open(self._archive)
        return _of_tar(self._file)

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


def _of_tar(tar: tarfile.TarFile) -> Iterator[_Member]:
    for info in tar:
        if info.isreg():
            kind = _FILE
        elif info.isdir():
            kind = _FOLDER
        elif info.issym():
            kind = _LINK
        else:
            kind = _HARD if info.islnk() else _OTHER
        yield _Member(info.name, kind, info.size if info.isreg() else 0, info.mode, info.linkname, _reader(tar, info))


def _reader(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    def read() -> IO[bytes]:
        file = tar.extractfile(info)
        if file is None:
            raise ArchiveError(f"{quoted(info.name)} has no content")
        return file

    return read


def _of_zip(zipped: zipfile.ZipFile) -> Iterator[_Member]:
    """The x bit and links are in attributes that zipfile leaves alone."""
    for info in zipped.infolist():
        mode = info.external_attr >> 16
        is_link = stat.S_ISLNK(mode)
        if is_link and info.file_size > os.pathconf("/", "PC_PATH_MAX"):
            raise ArchiveError(f"the link {quoted(info.filename)} is too long")
        if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK}:
            kind = _OTHER
        else:
            kind = _FOLDER if info.is_dir() else _LINK if is_link else _FILE
        target = os.fsdecode(zipped.read(info)) if is_link else ""
        size = info.file_size if kind == _FILE else 0
        yield _Member(info.filename, kind, size, mode or 0o644, target, lambda info=info: zipped.open(info))  # type: ignore[misc]


def _checked(found: Iterable[_Member], bounds: ArchiveBounds) -> dict[str, _Member]:
    """The members by their paths. Raises ArchiveError for one that must not be extracted."""
    members: dict[str, _Member] = {}
    total = 0
    for member in found:
        total += member.size
        if len(members) >= bounds.entries:
            raise ArchiveError(f"the archive has more than {bounds.entries} entries")
        if total > bounds.size:
            raise ArchiveError(f"the archive holds more than {show_size(bounds.size)}")
        if member.kind == _OTHER:
            raise ArchiveError(f"{quoted(member.name)} is a device or a pipe")
        if (path := _path(member.name)) is not None:
            if (before := members.get(path)) is not None and before.kind != member.kind:
                raise ArchiveError(f"{quoted(member.name)} stands there as a {before.kind} and as a {member.kind}")
            members[path] = member
    links = {path: member.target for path, member in members.items() if member.kind == _LINK}
    for path, member in members.items():
        _check_place(path, member, members, links)
    return members


def _path(name: str) -> str | None:
    """A member's path from the top: one that begins with / is taken from there. None for the top itself."""
    if "\0" in name:
        raise ArchiveError(f"{quoted(name)} is no path")
    parts = [part for part in PurePosixPath(name).parts if part not in {"/", "//", "."}]
    if ".." in parts:
        raise ArchiveError(f"{quoted(name)} leads out of the archive")
    return "/".join(parts) or None


def _check_place(path: str, member: _Member, members: dict[str, _Member], links: dict[str, str]) -> None:
    above = path.split("/")[:-1]
    for depth in range(1, len(above) + 1):
        parent = members.get("/".join(above[:depth]))
        if parent is not None and parent.kind != _FOLDER:
            raise ArchiveError(f"{quoted(member.name)} stands below a {parent.kind}")
    if member.kind == _LINK and _resolve(above, member.target, links) is None:
        raise ArchiveError(f"the link {quoted(member.name)} leads out of the archive, to {quoted(member.target)}")
    if member.kind == _HARD:
        target = _path(member.target)
        if target is None or target not in members or members[target].kind != _FILE:
            raise ArchiveError(f"the hard link {quoted(member.name)} leads to no file of the archive")


def _resolve(above: list[str], target: str, links: dict[str, str]) -> list[str] | None:
    """Where `target` leads, seen from the folder `above`, with every link on the way followed; None for out."""
    if target.startswith("/") or not target:
        return None
    place, waiting, followed = list(above), target.split("/")[::-1], 0
    while waiting:
        part = waiting.pop()
        if part in {"", "."}:
            continue
        if part == "..":
            if not place:
                return None
            place.pop()
            continue
        place.append(part)
        if (further := links.get("/".join(place))) is not None:
            followed += 1
            if followed > _MOST_LINKS or further.startswith("/"):
                return None
            place.pop()
            waiting += further.split("/")[::-1]
    return place


def _extract(members: dict[str, _Member], into: Path, most: int) -> int:
    """Writes the members: folders and files first, so that nothing is ever written through a link."""
    written = 0
    for path, member in members.items():
        target = into / path
        if member.kind == _FOLDER:
            target.mkdir(mode=0o755, parents=True, exist_ok=True)
        elif member.kind == _FILE:
            target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            written += _write(member, target, most - written)
    for path, member in members.items():
        target = into / path
        if member.kind == _HARD:
            target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            shutil.copy2(into / (_path(member.target) or ""), target)
    for path, member in members.items():
        if member.kind == _LINK:
            (into / path).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            (into / path).symlink_to(member.target)
    return written


def _write(member: _Member, target: Path, most: int) -> int:
    """Writes one file, of whatever size its content really has, up to `most`."""
    assert member.open is not None  # noqa: S101
    written = 0
    with member.open() as content, target.open("xb") as file:
        while piece := content.read(_PIECE):
            written += len(piece)
            if written > most:
                raise ArchiveError(f"{quoted(member.name)} holds more than its entry says")
            file.write(piece)
    target.chmod((member.mode & _DATA) | stat.S_IRUSR | stat.S_IWUSR)
    return written
