"""Reading a project's files: regular ones inside of it, never through a link that leads out, and of a bounded size."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

from lb.apps.project.errors import ProjectError
from lb.config.regular import read_regular

_LARGEST = 4 << 20


def read_bytes(root: Path, name: str, most: int = _LARGEST) -> bytes | None:
    """The content of the file `name` of the project at `root`; None where there is none. Raises ProjectError."""
    path = root / name
    real = os.path.realpath(path)
    if not os.path.lexists(path):
        return None
    if not Path(real).is_relative_to(os.path.realpath(root)):
        raise ProjectError("this link leads out of the project", "put the file itself there", file=name)
    try:
        data = read_regular(real, most + 1)
    except OSError as error:
        raise ProjectError(f"this file cannot be read: {error.strerror}", "put a text file there", file=name) from None
    if len(data) > most:
        raise ProjectError(f"this file is larger than {most >> 20} MiB", "make it smaller", file=name)
    return data


def read_text(root: Path, name: str) -> str | None:
    """The same as text: UTF-8, with or without a byte order mark, or UTF-16 with one. Raises ProjectError."""
    data = read_bytes(root, name)
    return None if data is None else as_text(data, name)


def as_text(data: bytes, name: str) -> str:
    """The text of a file's content. Raises ProjectError."""
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        place = data[: error.start].count(b"\n") + 1
        raise ProjectError(f"line {place} is not UTF-8 text", "save the file as UTF-8", file=name) from None
