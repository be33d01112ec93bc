"""The product under test as a process: `python -m lb serve FILE`, its ports, its log, its end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.e2e.harness import process
from tests.e2e.harness.client import HOST, Client
from tests.e2e.harness.nursery import Born, bear
from tests.e2e.harness.waiting import PATIENCE, wait_for
from tests.e2e.harness.wire import Response

Config = dict[str, Any]
Entry = dict[str, Any]

_LISTENING = re.compile(r"(?:listening on|(admin) at) (https?)://(\[[0-9a-f:]+\]|[0-9.]+):(\d+)")
_ROOT = Path(__file__).resolve().parents[3]
_STOPPING = 20.0


def configure(*instances: str, domains: tuple[Any, ...] = (HOST,), **top: Any) -> Config:
    """A configuration of one app `shop` on a free HTTP port with one worker; `top` are further top-level keys."""
    config: Config = {
        "listen": {"http": "127.0.0.1:0"},
        "workers": 1,
        "apps": {"shop": {"domains": list(domains), "production": {"instances": list(instances)}}},
    }
    config.update(top)
    return config


def command_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for `python -m lb`: the tree under test importable, and the engine that this run is about."""
    environ = dict(os.environ)
    environ.pop("PYTEST_CURRENT_TEST", None)  # it is as long as a test's parameters, and no message is
    environ["PYTHONUNBUFFERED"] = "1"
    if engine := environ.get("LB_TEST_ENGINE"):
        environ["LB_ENGINE"] = engine
    environ.update(extra or {})
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, [environ.get("PYTHONPATH", ""), str(_ROOT)]))
    return environ


def run_lb(*arguments: str, cwd: Path | None = None, patience: float = 30.0) -> subprocess.CompletedProcess[str]:
    """Run one `lb` command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "lb", *arguments],
        capture_output=True,
        text=True,
        timeout=patience,
        check=False,
        cwd=cwd,
        env=command_environment(),
    )


class FrontDoor:
    """A running front door. Use it in a `with`: leaving it stops the process and checks how it ended."""

    def __init__(
        self,
        config: Config,
        directory: Path,
        *,
        env: Mapping[str, str] | None = None,
        tracebacks: bool = False,
        activated: Sequence[socket.socket] = (),
    ) -> None:
        """Start on `config` with its files in `directory`; `tracebacks` allows them on stderr, `activated` are passed
        as systemd passes listening sockets. With these or `env`, it is an interpreter that begins anew.
        """
        self.directory = directory
        self.log_path = directory / "access.log"
        self.stderr: list[str] = []
        self.stdout: list[str] = []
        self._tracebacks = tracebacks
        self._ports: dict[tuple[str, str], int] = {}
        self.file = directory / "lb.yaml"
        self.write(config)
        self.process = self._start(env, activated) if env or activated else self._bear()
        self._readers = [
            threading.Thread(target=_collect, args=(self.process.stderr, self.stderr), daemon=True),
            threading.Thread(target=_collect, args=(self.process.stdout, self.stdout), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        try:
            wait_for(self._is_ready, "the front door to be ready", 30.0)
        except AssertionError as problem:
            self.kill()
            problem.add_note("stderr: " + "\n".join(self.stderr))
            raise

    def _bear(self) -> Born:
        return bear(["serve", str(self.file)], command_environment(), self.directory)

    def _start(self, env: Mapping[str, str] | None, activated: Sequence[socket.socket]) -> subprocess.Popen[str]:
        passed = [sock.fileno() for sock in activated]
        as_systemd = ("-m", "tests.control.activated", ",".join(map(str, passed)), "", sys.executable) if passed else ()
        return subprocess.Popen(
            [sys.executable, *as_systemd, "-m", "lb", "serve", str(self.file)],
            pass_fds=passed,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=command_environment(env),
            cwd=self.directory,
            start_new_session=True,
        )

    def _is_ready(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"the front door ended with {self.process.returncode} instead of serving")
        for line in list(self.stderr):
            for admin, scheme, host, port in _LISTENING.findall(line):
                self._ports.setdefault((admin or scheme, host), int(port))
        return bool(self._ports) and any(re.search(r"\bready\b", line) for line in list(self.stderr))

    def write(self, config: Config) -> None:
        """Change the configuration file, and nothing else."""
        access_log = {"path": str(self.log_path), "format": "json"}
        self.file.write_text(json.dumps({"access_log": access_log, **config}, indent=1))

    def reload(self, config: Config | None = None) -> bool:
        """SIGHUP, with a changed file if one is given; whether it was applied, once that is decided."""
        if config is not None:
            self.write(config)
        before = len(self._reloads())
        self.signal(signal.SIGHUP)
        return wait_for(lambda: self._reloads()[before:], "the end of the reload")[0] == "reloaded"

    def _reloads(self) -> list[str]:
        return re.findall(r"\b(reloaded|not reloaded):", "\n".join(self.stderr))

    def port(self, scheme: str = "http", host: str = "127.0.0.1") -> int:
        return self._ports[scheme, host]

    @property
    def http(self) -> int:
        return self.port("http")

    @property
    def https(self) -> int:
        return self.port("https")

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def workers(self) -> list[int]:
        """Who serves: workers and the admin server, not the one that looks after certificates, nor who reads a file."""
        others = ("lb: certificates", "lb: reader")
        return [pid for pid in process.children(self.pid) if process.title(pid) not in others]

    def connect(self, *, receive_buffer: int = 0) -> Client:
        """A plain connection."""
        return Client(("127.0.0.1", self.http), receive_buffer=receive_buffer)

    def connect_tls(
        self, context: ssl.SSLContext, name: str | None = HOST, session: ssl.SSLSession | None = None
    ) -> Client:
        """A TLS connection with `name` as SNI (None sends none)."""
        return Client(("127.0.0.1", self.https), tls=context, name=name, session=session)

    def ask(self, data: bytes) -> Response:
        """One request on a connection of its own."""
        with self.connect() as client:
            return client.ask(data)

    def log(self) -> list[Entry]:
        """The access log's entries so far; a line still being written is left out."""
        if not self.log_path.exists():
            return []
        lines = self.log_path.read_bytes().split(b"\n")[:-1]
        return [json.loads(line) for line in lines]

    def wait_log(self, **wanted: Any) -> Entry:
        """The first entry with these keys and values, as soon as it is written."""

        def find() -> Entry | None:
            for entry in self.log():
                if all(entry.get(key) == value for key, value in wanted.items()):
                    return entry
            return None

        try:
            found = wait_for(find, f"an access log line with {wanted}")
        except AssertionError as problem:
            problem.add_note(f"the log: {self.log()[-5:]}")
            raise
        assert found is not None
        return found

    def wait_log_where(self, condition: Callable[[list[Entry]], bool], what: str) -> list[Entry]:
        wait_for(lambda: condition(self.log()), what)
        return self.log()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait_end(self, patience: float = _STOPPING) -> int:
        """The exit code, once the process has ended by itself."""
        code = self.process.wait(patience)
        self._close()
        return code

    def stop(self) -> None:
        """SIGTERM, and the checks that hold for every run: exit code 0, no traceback, no child left."""
        left = self.workers if self.process.poll() is None else []
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            code = self.wait_end()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"SIGTERM did not end it in {_STOPPING} s; stderr: {self._errors()}") from None
        assert code == 0, f"exit code {code}; stderr: {self._errors()}"
        self.check()
        assert not [pid for pid in left if process.is_alive(pid)], "workers outlived their supervisor"

    def check(self) -> None:
        if not self._tracebacks:
            assert "Traceback" not in self._errors(), self._errors()

    def kill(self) -> None:
        """End the process and what it started, at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(_STOPPING)
        self._close()

    def _errors(self) -> str:
        return "\n".join(self.stderr)

    def _close(self) -> None:
        for reader in self._readers:
            reader.join(PATIENCE)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if value is None:
            if self.process.returncode is None:
                self.stop()
            return
        self.kill()
        value.add_note("the front door's stderr: " + self._errors())


def _collect(pipe: Any, lines: list[str]) -> None:
    with contextlib.suppress(ValueError, OSError):
        for line in pipe:
            lines.append(line.rstrip("\n"))  # noqa: PERF401  a line must be seen as soon as it is there
