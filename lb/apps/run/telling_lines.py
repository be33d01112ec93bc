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
_LINK = re.compile(r"During handling of the above exception|The above exception was the direct cause")
_EXITED = re.compile(r"Worker \(pid:\d+\) (?:exited|was sent)")
_TRACEBACK = "Traceback (most recent call last):"


def telling(lines: Iterable[str]) -> tuple[str, ...]:
    """What is worth showing, the same thing once. If nothing would be left: how the server's worker ended, or all."""
    lines = tuple(lines)
    kept: list[str] = []
    dropped = False  # the traceback before: what joins it to the next one goes with it
    for block in _blocks(lines):
        if not block or (dropped and (not block[0].strip() or _LINK.match(block[0]))):
            continue
        dropped = block[0] == _TRACEBACK and (_HALT.search(block[-1]) is not None or block == kept[-len(block) :])
        if dropped:
            _drop_link(kept)
        elif not _HALT.search(block[-1]):
            kept += block
    return tuple(kept) or _server_s_own(lines) or lines


def _drop_link(kept: list[str]) -> None:
    """The end of what is kept, if it only leads to a traceback that is not."""
    while kept and (not kept[-1].strip() or _LINK.match(kept[-1])):
        kept.pop()


def _server_s_own(lines: Iterable[str]) -> tuple[str, ...]:
    """The line in which the server says how its worker ended."""
    return tuple(dict.fromkeys(line for line in lines if _EXITED.search(line)))


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
