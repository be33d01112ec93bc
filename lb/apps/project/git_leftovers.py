"""What an archive made by git lacks: the content of submodules, and of files that git keeps elsewhere (LFS)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from lb.apps.project.errors import ProjectError
from lb.apps.project.text import read_text

_POINTER = b"version https://git-lfs.github.com/spec/"
_LARGEST_POINTER = 1024  # bytes, by the format's own rules
_MOST_FILES = 100_000
_PATH = re.compile(r"^\s*path\s*=\s*(.+?)\s*$", re.MULTILINE)


def find_leftovers(root: Path) -> Iterator[str]:
    """A sentence for each kind of content that is missing."""
    empty = [path for path in _submodules(root) if not any(_entries(root / path))]
    if empty:
        yield (
            f"{', '.join(empty)} is empty: git leaves the content of submodules out; "
            "deploy the folder itself, or vendor what is in it"
        )
    pointer = next(_pointers(root), None)
    if pointer is not None:
        yield (
            f"{pointer} is a pointer of Git LFS, not the file itself: run `git lfs pull` and deploy the folder, "
            "or keep the file in git"
        )


def _submodules(root: Path) -> list[str]:
    try:
        text = read_text(root, ".gitmodules") or ""
    except ProjectError:
        return []
    return [path for path in _PATH.findall(text) if ".." not in Path(path).parts and not path.startswith("/")]


def _pointers(root: Path) -> Iterator[str]:
    """Files that are pointers, if the project uses LFS at all."""
    try:
        attributes = read_text(root, ".gitattributes") or ""
    except ProjectError:
        return
    if "filter=lfs" not in attributes:
        return
    seen = 0
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name != ".git"]
        for name in names:
            seen += 1
            if seen > _MOST_FILES:
                return
            path = Path(folder, name)
            if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST_POINTER:
                continue
            if path.read_bytes().startswith(_POINTER):
                yield os.path.relpath(path, root)


def _entries(folder: Path) -> Iterator[Path]:
    return folder.iterdir() if folder.is_dir() else iter(())
