"""What every proxy under test has in common: write a configuration, start a process, wait for its two ports, end it.

A peer's own file knows only its configuration language. All of them do the same job: one worker, access
log to a file, X-Real-IP, X-Forwarded-For and X-Forwarded-Proto set, keep-alive pools to the instances in turn, gzip
for text/html, TLS 1.2 and 1.3.
"""

from __future__ import annotations

import http.client
import shutil
import socket
import ssl
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.certificate import HOST, Certificate
from benchmarks.processes import PROXY_CORE, end, spawn

_START_S = 90.0
_POLL_S = 0.02


class PeerError(Exception):
    """A proxy is not installed, did not start, or does not answer."""


@dataclass(frozen=True, slots=True)
class Setup:
    """The job of one run: instances by their ports, the names bound, the certificate; how many routes there are, of
    which the last one matches (lb alone), and the directory that is to be served at PREFIX, if one is.
    """

    certificate: Certificate
    instances: tuple[int, ...]
    domains: tuple[str, ...] = (HOST,)
    routes: int = 0
    files: Path | None = None


@dataclass(frozen=True, slots=True)
class Launch:
    """How a peer is started, once its files are written."""

    command: tuple[str | Path, ...]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """A running proxy: the root of its process tree and where it listens on 127.0.0.1."""

    child: subprocess.Popen[str]
    http: int
    https: int

    @property
    def pid(self) -> int:
        return self.child.pid

    def port(self, scheme: str) -> int:
        return self.https if scheme == "https" else self.http


class Peer(ABC):
    """One proxy. `name` is the column, `program` must be on PATH."""

    name: str
    program: str

    def missing(self) -> str | None:
        """Why this peer cannot be measured here; None when it can."""
        return None if shutil.which(self.program) else f"{self.program} is not installed"

    @abstractmethod
    def version(self) -> str:
        """The version that the program prints, one line."""

    @abstractmethod
    def prepare(self, setup: Setup, directory: Path, http: int, https: int) -> Launch:
        """Write the configuration into `directory`; the log files belong there too."""

    @contextmanager
    def running(self, setup: Setup, directory: Path, under: tuple[str | Path, ...] = ()) -> Iterator[Target]:
        """Start, wait until both ports answer with 200, end with the block; `under` is the command of a tool around it.

        Raises PeerError.
        """
        directory.mkdir(parents=True, exist_ok=True)
        with held_ports(2) as (http_port, https_port):
            launch = self.prepare(setup, directory, http_port, https_port)
            output = directory / "output.log"
            child = spawn((*under, *launch.command), core=PROXY_CORE, log=output, env=launch.env)
            try:
                for scheme, port in (("http", http_port), ("https", https_port)):
                    _wait_answering(self.name, child, scheme, port, output)
                yield Target(child, http_port, https_port)
            finally:
                end(child)


@contextmanager
def held_ports(count: int) -> Iterator[tuple[int, ...]]:
    """Ports of 127.0.0.1, reserved until the block ends: bound, but not listening.

    A proxy that sets SO_REUSEADDR, as all do, can still listen there.
    """
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for sock in sockets:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", 0))
        yield tuple(int(sock.getsockname()[1]) for sock in sockets)


def first_line(command: tuple[str, ...]) -> str:
    """The first line that a version command prints, on whichever stream. Raises PeerError."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerError(f"{command[0]}: {error}") from error
    return (done.stdout + done.stderr).strip().partition("\n")[0]


def _answers(scheme: str, port: int) -> bool:
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    # By name, because the client hello must select the certificate; it resolves to the loopback address.
    connection = (
        http.client.HTTPSConnection(HOST, port, timeout=5, context=trusting)
        if scheme == "https"
        else http.client.HTTPConnection(HOST, port, timeout=5)
    )
    try:
        connection.request("GET", "/small")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _wait_answering(name: str, child: subprocess.Popen[str], scheme: str, port: int, output: Path) -> None:
    deadline = time.monotonic() + _START_S
    while not _answers(scheme, port):
        tail = "\n".join(output.read_text(errors="replace").splitlines()[-8:])
        if child.poll() is not None:
            raise PeerError(f"{name} ended with {child.returncode} while it started:\n{tail}")
        if time.monotonic() > deadline:
            raise PeerError(f"{name} does not answer on its {scheme} port:\n{tail}")
        time.sleep(_POLL_S)
