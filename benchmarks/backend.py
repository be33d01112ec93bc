"""The instances behind every proxy: one responder with a port for each instance."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.page import make_page
from benchmarks.processes import LOAD_CORE, end, spawn
from benchmarks.programs import BuildError, Programs

_PAGE_BYTES = 256 * 1024


@contextmanager
def running_backend(programs: Programs, directory: Path, instances: int) -> Iterator[tuple[int, ...]]:
    """Start the responder and yield its ports on 127.0.0.1; it ends with the block. Raises BuildError if it does not
    start.
    """
    page = directory / "page.html"
    page.write_bytes(make_page(_PAGE_BYTES))
    child = spawn(
        (programs.responder, page, str(instances)), core=LOAD_CORE, log=directory / "responder.errors", pipes=True
    )
    try:
        yield _ports(child, instances)
    finally:
        end(child)


def _ports(child: subprocess.Popen[str], instances: int) -> tuple[int, ...]:
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(instances)]
    if not all(lines):
        raise BuildError("the responder did not start; see responder.errors")
    return tuple(map(int, lines))
