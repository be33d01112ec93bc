"""The files that every proxy serves itself in some scenarios: three sizes, and one with a compressed sibling."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

from benchmarks.page import make_page

SIZES = {"1k.bin": 1 << 10, "100k.bin": 100 << 10, "10m.bin": 10 << 20, "page.html": 100 << 10}
PREFIX = "/files/"


def make_files(directory: Path) -> Path:
    """Write them into a directory below `directory`, if they are not there yet."""
    files = directory / "files"
    files.mkdir(exist_ok=True)
    for name, size in SIZES.items():
        path = files / name
        if path.exists():
            continue
        if name.endswith(".bin"):
            path.write_bytes(random.Random(size).randbytes(size))
        else:
            page = make_page(size)
            path.write_bytes(page)
            path.with_name(name + ".gz").write_bytes(gzip.compress(page, 9))
    return files
