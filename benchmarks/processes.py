"""Starts and ends child processes on a chosen core.

Every child is the leader of a session of its own, so that it can be ended with its own children, and Ctrl-C reaches
only this program, which then ends the children in order. Knows nothing about proxies or load.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

PROXY_CORE = 0
LOAD_CORE = 1
_PATIENCE_S = 5.0


def core_count() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Children started inside the block run on `core` only (on a machine with one core, on that)."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core} if core in before else before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def spawn(
    command: Sequence[str | Path],
    *,
    core: int,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
    pipes: bool = False,
) -> subprocess.Popen[str]:
    """Start `command` on `core`; its output goes to the file `log`, or to pipes, or nowhere."""
    with pinned(core), open(log or os.devnull, "ab") as sink:  # noqa: PTH123 - devnull is not a path of ours
        return subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
            stdout=subprocess.PIPE if pipes else sink,
            stderr=sink,
            text=True,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )


def end(child: subprocess.Popen[str]) -> None:
    """End a child: SIGTERM, and SIGKILL for its whole session if it is not gone in time."""
    if child.poll() is None:
        child.terminate()
        with suppress(subprocess.TimeoutExpired):
            child.wait(_PATIENCE_S)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait(_PATIENCE_S)
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()
