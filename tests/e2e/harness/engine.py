"""An engine in a directory of its own, its commands as people type them, and small projects to deploy."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from lb.apps.service.engine_socket import directories, socket_name
from tests.e2e.harness.waiting import wait_for

ROOT = Path(__file__).parents[3]
_PATIENCE = 120.0  # seconds for a command; a build makes a virtual environment

APP = """\
import os, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = {version!r}

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        names = ("LEANCLOUD_VERSION_TAG", "LEANCLOUD_APP_ENV", "LEANCLOUD_APP_INSTANCE", "COLOUR", "TZ")
        shown = [VERSION, *(os.environ.get(name, "-") for name in names), str(os.getpid())]
        body = " ".join(shown).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

print("version", VERSION, "starts", flush=True)
ThreadingHTTPServer(("127.0.0.1", int(os.environ["LEANCLOUD_APP_PORT"])), Handler).serve_forever()
"""


# The seeds' 30 s of drain would make every second deploy of a test wait; one test has them as they are.
HURRIED = """\
from lb.apps.service import retirement
from lb.cli.main import main

retirement.LEAST_DRAIN = 1.0
retirement.longest_drain = lambda settings: LONGEST
main()
"""


def write_project(
    folder: Path, version: str = "one", *, app: str = APP, manifest: str = "run: python app.py\n"
) -> Path:
    """A project of the standard library alone, so that no test needs an index of packages."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "app.py").write_text(app.format(version=version) if app is APP else app, encoding="utf-8")
    (folder / "requirements.txt").write_text("", encoding="utf-8")
    (folder / "leanengine.yaml").write_text(manifest, encoding="utf-8")
    (folder / ".python-version").write_text("{}.{}\n".format(*sys.version_info[:2]), encoding="utf-8")
    return folder


def _short_place() -> Path:
    """A directory with a short path; in memory where programs may be run from there, since releases are many files."""
    memory = Path("/dev/shm")
    usable = memory.is_dir() and os.access(memory, os.W_OK) and not os.statvfs(memory).f_flag & os.ST_NOEXEC
    return Path(tempfile.mkdtemp(prefix="lbe-", dir=memory if usable else "/tmp"))


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class EngineHome:
    """A configuration file, an engine for it, and what runs of it. Use it in a `with`."""

    keys: str = ""
    root: Path = field(default_factory=_short_place)
    production: str = "{deploy: true}"
    staging: str = "{deploy: true}"
    hurried: bool = True
    longest_drain: float = 1.0  # seconds for what is busy, if it is hurried
    variables: dict[str, str] = field(default_factory=dict)  # of the engine
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.file = self.root / "lb.yaml"
        self.runtime = self.root / "runtime"
        self.runtime.mkdir(mode=0o700)
        self.directory = self.root / "engine"
        self.write()

    def write(self, *, apps: str | None = None) -> None:
        """Writes the configuration file anew."""
        apps = (
            apps
            if apps is not None
            else f"""
  shop:
    domains: [shop.example.com, stg-shop.example.com]
    production: {self.production}
    staging: {self.staging}
"""
        )
        self.file.write_text(
            f"listen: {{http: '127.0.0.1:0'}}\nengine: {{directory: {self.directory}, isolation: none{self.keys}}}\n"
            f"apps:{apps}",
            encoding="utf-8",
        )

    @property
    def environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in ("LB_FILE", "RUNTIME_DIRECTORY")}
        return {**kept, "XDG_RUNTIME_DIR": str(self.runtime), "PYTHONPATH": str(ROOT), "LB_FILE": str(self.file)}

    # The engine

    def start(self, **environ: str) -> None:
        program = ["-c", HURRIED.replace("LONGEST", str(self.longest_drain))] if self.hurried else ["-m", "lb"]
        log = (self.root / "engine.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-P", *program, "engine", "run", str(self.file)],
            cwd=self.root,
            env={**self.environ, **self.variables, **environ},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        wait_for(self._answers, "the engine to answer", 60.0)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket))
                probe.sendall(b'{"command": "hello"}\n')
                return bool(probe.recv(1))
            except OSError:
                return False

    @property
    def socket(self) -> Path:
        return self.runtime / "lb-engine" / socket_name(self.file)

    @property
    def log(self) -> str:
        return (self.root / "engine.log").read_text(encoding="utf-8")

    def kill(self) -> None:
        """SIGKILL; what runs goes on."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)

    def wait_dead(self) -> None:
        """It was killed by a fault point."""
        assert self.process is not None
        assert self.process.wait(_PATIENCE) == -signal.SIGKILL

    def restart(self) -> None:
        self.kill()
        self.start()

    def __enter__(self) -> Self:
        assert next(directories(self.environ)) != self.runtime
        self.start()
        return self

    def __exit__(self, *how: object) -> None:
        try:
            if self.process is not None and self.process.poll() is not None:
                self.start()
            self.lb("engine", "stop", "--apps")
            if self.process is not None:
                self.process.wait(60)
        finally:
            if self.process is not None and self.process.poll() is None:
                self.process.kill()
                self.process.wait(30)
            for folder, _, _ in os.walk(self.root):  # releases are read-only
                Path(folder).chmod(0o700)
            shutil.rmtree(self.root, ignore_errors=True)

    # Commands

    def popen(self, *words: str, stdin: Any = subprocess.DEVNULL, **environ: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "lb", *words],
            cwd=self.root,
            env={**self.environ, **environ},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def lb(self, *words: str, given: str | None = None, **environ: str) -> Done:
        process = self.popen(*words, stdin=subprocess.DEVNULL if given is None else subprocess.PIPE, **environ)
        out, err = process.communicate(given, timeout=_PATIENCE)
        assert not err.startswith("Traceback"), err
        return Done(process.returncode, out, err)

    def deploy(self, project: Path, *more: str) -> Done:
        return self.lb("deploy", "shop", str(project), *(more or ("--prod",)))

    def project(self, version: str = "one", **more: Any) -> Path:
        return write_project(self.root / "project", version, **more)

    # What is seen

    def ps(self, environment: str = "production") -> dict[str, Any]:
        shown = self.lb("ps", "shop", "--json").json["environments"]
        found: dict[str, Any] = next(one for one in shown if one["environment"] == environment)
        return found

    def endpoints(self, environment: str = "production") -> list[str]:
        return [one["endpoint"] for one in self.ps(environment)["instances"] if one["endpoint"]]

    def answers(self, environment: str = "production") -> list[list[str]]:
        """What each instance answers: version, tag, environment, name, COLOUR, TZ, pid."""
        return [get(endpoint).split() for endpoint in self.endpoints(environment)]

    def state_of(self, environment: str = "production") -> dict[str, Any]:
        value: dict[str, Any] = json.loads(
            (self.directory / "apps" / "shop" / environment / "deploy.json").read_text(encoding="utf-8")
        )
        return value

    def files_with(self, secret: str) -> list[str]:
        """Files of the engine that hold a text, and command lines that do."""
        files = [path for path in self.directory.rglob("*") if path.is_file() and not path.is_symlink()]
        found = [str(path.relative_to(self.directory)) for path in files if secret.encode() in path.read_bytes()]
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if secret.encode() in path.read_bytes():
                    found.append(str(path))
            except OSError:
                continue
        return found


def get(endpoint: str, path: str = "/") -> str:
    """The body of an answer of an instance itself."""
    host, _, port = endpoint.rpartition(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: shop.example.com\r\nConnection: close\r\n\r\n".encode())
        received = b""
        while piece := connection.recv(65536):
            received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    assert re.match(rb"HTTP/1\.[01] 200", head), head
    return body.decode()
