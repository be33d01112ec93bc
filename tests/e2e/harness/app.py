"""A real application server as a process, reached over a Unix socket or a port of its choice."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.e2e.harness.door import command_environment
from tests.e2e.harness.waiting import wait_for

GUNICORN = ("gunicorn", "--worker-class", "gthread", "--threads", "8", "--bind", "unix:{path}")
UVICORN = ("uvicorn", "--no-access-log", "--uds", "{path}")


@contextmanager
def serving(server: tuple[str, ...], app: str, directory: Path) -> Iterator[str]:
    """Run `tests.e2e.apps.<app>:app` under a server with its own defaults; gives its address for a configuration."""
    path = directory / f"{app}.sock"
    arguments = [part.format(path=path) for part in server]
    log = directory / f"{app}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments, f"tests.e2e.apps.{app}:app"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=command_environment(),
            cwd=directory,
        )
        try:
            yield wait_for(lambda: _address(path, log.read_text()), f"{app} under {server[0]}", 30)
        except BaseException as problem:
            problem.add_note(log.read_text())
            raise
        finally:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
            process.wait()


def _address(path: Path, said: str) -> str:
    """Where the server listens by now: at its socket, or on the port that it tells; empty before."""
    with socket.socket(socket.AF_UNIX) as probe:
        if path.exists() and probe.connect_ex(str(path)) == 0:  # a path that nobody binds may be too long to ask
            return f"unix:{path}"
    told = re.search(r"http://(127\.0\.0\.1:[0-9]+)", said)
    return told[1] if told is not None else ""
