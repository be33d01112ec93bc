"""The cost of a request, counted instead of timed: system calls (strace) and instructions (valgrind's callgrind).

Such counts repeat on a busy machine to within a few percent, so continuous integration can hold a bound on them. Both
are differences: what start-up and warm-up cost cancels. Requests go out one at a time over a few keep-alive
connections, so that nothing is shared between requests: batching under load only makes them cheaper.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cpu import tree
from benchmarks.peers.base import Launch, Peer, Setup, Target
from benchmarks.peers.lb import Lb
from benchmarks.programs import build_counting

CONNECTIONS = 4
_COUNTED = Path(__file__).with_name("counted.py")
_REQUEST = (
    b"GET /small HTTP/1.1\r\nHost: localhost\r\nUser-Agent: guard\r\nAccept: text/html,*/*;q=0.8\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\nCookie: session=4f1c0b7e9d3a48f6a1; theme=dark\r\n\r\n"
)
_PATIENCE_S = 60.0


class GuardError(Exception):
    """A tool is missing or reports nothing, or the proxy responded wrongly: there is no count."""


@dataclass(frozen=True, slots=True)
class SystemCalls:
    """System calls per request, all and by name (those that a request does not make are left out)."""

    total: float
    by_name: Mapping[str, float]


def count_system_calls(peer: Peer, setup: Setup, directory: Path, requests: int = 2000) -> SystemCalls:
    """Two runs under strace, one with a tenth of the requests; their difference is what requests cost. Raises
    GuardError.
    """
    strace = _tool("strace")
    few = requests // 10
    counts = []
    for number in (few, requests):
        summary = directory / f"strace-{number}.txt"
        with peer.running(setup, directory / f"strace-{number}", (strace, "-f", "-c", "-o", summary)) as target:
            ask(target.http, number)
            _end_traced(target)
        counts.append(parse_summary(summary.read_text() if summary.exists() else ""))
    before, after = counts
    by_name = {name: (count - before.get(name, 0)) / (requests - few) for name, count in after.items()}
    return SystemCalls(sum(by_name.values()), {name: each for name, each in by_name.items() if each >= 0.005})


def count_instructions(peer: Peer, setup: Setup, directory: Path, requests: int = 2000) -> float:
    """Instructions in user space per request under callgrind, of the workers of lb, of the whole tree of others.

    Two runs, as above: a forked worker reports its count only when it ends. Raises GuardError.
    """
    valgrind = _tool("valgrind")
    late: tuple[str, ...] = ()
    if isinstance(peer, Lb):
        peer, late = _Counted(peer, build_counting(directory)), ("--instr-atstart=no",)
    few = requests // 10
    totals = []
    for number in (few, requests):
        out = directory / f"callgrind-{number}"
        out.mkdir(parents=True, exist_ok=True)
        under = (valgrind, "--tool=callgrind", "--vgdb=no", *late, f"--callgrind-out-file={out}/%p")
        with peer.running(setup, directory / f"valgrind-{number}", under) as target:
            ask(target.http, number)
            os.kill(target.pid, signal.SIGTERM)
            target.child.wait(_PATIENCE_S)
        totals.append(sum(parse_totals(dump.read_text(errors="replace")) for dump in out.iterdir()))
    return (totals[1] - totals[0]) / (requests - few)


class _Counted(Lb):
    """lb, started through counted.py."""

    def __init__(self, lb: Lb, library: Path) -> None:
        super().__init__(lb.python)
        self.env = {**lb.env, "PYTHONHASHSEED": "0"}
        self._library = library

    def prepare(self, setup: Setup, directory: Path, http: int, https: int) -> Launch:
        launch = super().prepare(setup, directory, http, https)
        _python, safe_path, _module, _lb, *arguments = launch.command
        return Launch((self.python, safe_path, _COUNTED, self._library, *arguments), launch.env)


def parse_summary(text: str) -> dict[str, int]:
    """Calls by name from the table that `strace -c` writes. Raises GuardError when it has no row."""
    rows = (line.split() for line in text.splitlines())
    calls = {row[-1]: int(row[3]) for row in rows if len(row) >= 5 and row[3].isdigit() and row[-1] != "total"}
    if not calls:
        raise GuardError("strace counted nothing (is tracing allowed here?)")
    return calls


def parse_totals(text: str) -> int:
    """The instructions of one callgrind dump. Raises GuardError if the dump is incomplete."""
    for line in reversed(text.splitlines()):
        if line.startswith("totals:"):
            return int(line.split()[1])
    raise GuardError("a callgrind dump has no totals")


def ask(port: int, requests: int) -> None:
    """GET /small `requests` times, in turn over CONNECTIONS connections. Raises GuardError for any answer but 200."""
    with ExitStack() as stack:
        connections = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), _PATIENCE_S)) for _ in range(CONNECTIONS)
        ]
        for number in range(requests):
            _ask_once(connections[number % CONNECTIONS])


def _ask_once(connection: socket.socket) -> None:
    connection.sendall(_REQUEST)
    data = b""
    while not _is_whole(data):
        piece = connection.recv(65536)
        if not piece:
            raise GuardError(f"the connection ended after {data[:200]!r}")
        data += piece
    if data[8:13] != b" 200 ":
        raise GuardError(f"the proxy answered {data[:200]!r}")


def _is_whole(data: bytes) -> bool:
    head, found, body = data.partition(b"\r\n\r\n")
    _, named, rest = head.lower().partition(b"\r\ncontent-length:")
    return bool(found) and (not named or len(body) >= int(rest.partition(b"\r\n")[0]))


def _tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise GuardError(f"{name} is not installed")
    return path


def _end_traced(target: Target) -> None:
    """End the traced process, not strace, which then writes its summary."""
    traced = [stat.pid for stat in tree(target.pid) if stat.parent == target.pid]
    for pid in traced:
        os.kill(pid, signal.SIGTERM)
    target.child.wait(_PATIENCE_S)
