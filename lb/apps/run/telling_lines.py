"""The lines of an app's end that tell something: without the frames of the server and of the import machinery, and
without the server's own account of its workers.

Text only. What is left of a traceback is the app's own part of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_SERVERS_OWN = re.compile(
    r"\[(?:INFO|ERROR|WARNING)\] (?:Worker |Shutting down|Reason: |Handling signal|Booting worker|Starting gunicorn|"
    r"Listening at|Using worker|Exception in worker|Control socket)"
)
_FRAME = re.compile(r'^ +File "([^"]+)"')
_FOREIGN = re.compile(
    r"/site-packages/(?:gunicorn|uvicorn|granian|waitress)/|<frozen |/importlib/__init__\.py|<string>|/runpy\.py"
)
_HALT = re.compile(r"HaltServer")
_TRACEBACK = "Traceback (most recent call last):"


def telling(lines: Iterable[str]) -> tuple[str, ...]:
    """What is worth showing, the same thing once; everything if nothing would be left."""
    lines = tuple(lines)
    kept: list[str] = []
    for block in _blocks(lines):
        if block and not _HALT.search(block[-1]) and block != kept[-len(block) :]:
            kept += block
    return tuple(kept) or lines


def _blocks(lines: Iterable[str]) -> Iterator[list[str]]:
    """Tracebacks, each with the line that ends it, and single lines."""
    block: list[str] = []
    skipping = False
    for line in lines:
        if line == _TRACEBACK:
            yield block
            block, skipping = [line], False
        elif not block:
            yield [] if _SERVERS_OWN.search(line) or _HALT.search(line) else [line]
        elif frame := _FRAME.match(line):
            skipping = _FOREIGN.search(frame[1]) is not None
            block += [] if skipping else [line]
        elif line.startswith("    "):
            block += [] if skipping else [line]
        elif line:
            yield [*block, line]
            block = []
    yield block
