"""A virtual environment copied to another path: its scripts have the old path in their first line.

Which files hold the path is found once, when a copy is stored; each later copy changes those alone.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

_LARGEST = 1 << 20  # bytes of a file that is looked at; scripts are small
_COMPILED = (".pyc", ".so", ".whl", ".zip")


def files_that_hold(folder: Path, path: Path) -> list[str]:
    """The files of `folder` with `path` in them, by their own paths from there."""
    wanted = os.fsencode(path)
    return [
        os.path.relpath(file, folder)
        for file in _files(folder)
        if not file.name.endswith(_COMPILED) and file.stat().st_size <= _LARGEST and wanted in file.read_bytes()
    ]


def change_path(folder: Path, names: Iterable[str], old: Path, new: Path) -> None:
    """Writes the new path for the old one into the files of these names."""
    before, after = os.fsencode(old), os.fsencode(new)
    for name in names:
        file = folder / name
        mode = stat.S_IMODE(file.stat().st_mode)
        changed = file.read_bytes().replace(before, after)
        aside = file.with_name(f".{file.name}.new")
        aside.write_bytes(changed)
        aside.chmod(mode)
        aside.replace(file)


def copy_tree(source: Path, target: Path) -> None:
    """Copies a folder with its links, modes and times; blocks are shared where the file system can (reflink)."""
    shutil.copytree(source, target, symlinks=True, copy_function=_copier())


def _copier() -> Callable[[str, str], object]:
    clone = 0x40049409  # FICLONE
    try:
        import fcntl  # noqa: PLC0415
    except ImportError:
        return shutil.copy2
    possible = [True]

    def copy(source: str, target: str) -> object:
        if possible[0]:
            with open(source, "rb") as one, open(target, "wb") as other:  # noqa: PTH123  thousands of them
                try:
                    fcntl.ioctl(other.fileno(), clone, one.fileno())
                except OSError:
                    possible[0] = False
            if possible[0]:
                shutil.copystat(source, target)
                return target
        return shutil.copy2(source, target)

    return copy


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        for name in names:
            file = Path(place, name)
            if not file.is_symlink() and file.is_file():
                yield file
