"""lb itself: one worker, with everything that is on by default.

A run with the fallback engine must not count as a result: `engine` returns which one would serve, and
LB_REQUIRE_COMPILED=1 is set unless the fallback is to be measured.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from benchmarks.files import PREFIX
from benchmarks.peers.base import Launch, Peer, PeerError, Setup

_CONFIGURATION = """\
listen: {{http: "127.0.0.1:{http}", https: "127.0.0.1:{https}"}}
workers: 1
tls:
  certificates:
    - {{cert: "{cert}", key: "{key}"}}
access_log: {{path: "{directory}/access.log", format: json}}
apps:
  bench:
    domains:
{domains}
    production:
      instances:
{instances}
{files}
{routes}
"""
_ENGINE = re.compile(r"\bengine:?\s+(\w+)", re.IGNORECASE)
REPOSITORY = Path(__file__).resolve().parents[2]


def parse_engine(text: str) -> str | None:
    """The engine that `lb version` names ("compiled" or "python"); None when it names none."""
    found = _ENGINE.search(text)
    return found[1].lower() if found else None


class Lb(Peer):
    """`python` is the interpreter that has lb's dependencies; `package` the directory that holds the package lb."""

    name = "lb"
    program = "lb"

    def __init__(self, python: Path, package: Path = REPOSITORY, *, require_compiled: bool = True) -> None:
        self.python = python
        self.env = {"PYTHONPATH": os.pathsep.join(filter(None, (str(package), os.environ.get("PYTHONPATH"))))}
        if require_compiled:
            self.env["LB_REQUIRE_COMPILED"] = "1"

    def uncompiled(self, directory: Path) -> Lb:
        """The same lb without its compiled modules, copied to `directory`. Raises PeerError if it is still compiled."""
        left_out = shutil.ignore_patterns("*.so", "*.c", "__pycache__")
        shutil.copytree(REPOSITORY / "lb", directory / "lb", ignore=left_out, dirs_exist_ok=True)
        copy = Lb(self.python, directory, require_compiled=False)
        if copy.engine() != "python":
            raise PeerError(f"lb without its compiled modules reports the engine {copy.engine()}")
        return copy

    def missing(self) -> str | None:
        try:
            self.version()
        except PeerError as error:
            return str(error)
        return None

    def version(self) -> str:
        return " ".join(self._version_text().split())

    def engine(self) -> str | None:
        """The engine that would serve, as parse_engine reads it. Raises PeerError if `lb version` fails."""
        return parse_engine(self._version_text())

    def _version_text(self) -> str:
        # Run without LB_REQUIRE_COMPILED: the answer "python" is needed, not a refusal.
        env = {key: value for key, value in {**os.environ, **self.env}.items() if key != "LB_REQUIRE_COMPILED"}
        command = (str(self.python), "-P", "-m", "lb", "version")
        try:
            done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PeerError(f"lb: {error}") from error
        if done.returncode:
            raise PeerError(f"`lb version` ended with {done.returncode}: {done.stderr.strip()[-300:]}")
        return done.stdout

    def prepare(self, setup: Setup, directory: Path, http: int, https: int) -> Launch:
        path = directory / "lb.yaml"
        path.write_text(
            _CONFIGURATION.format(
                http=http,
                files=f"    routes: [{{path: {PREFIX}, files: '{setup.files}'}}]" if setup.files else "",
                https=https,
                cert=setup.certificate.cert,
                key=setup.certificate.key,
                directory=directory,
                domains="\n".join(f"      - {name}" for name in setup.domains),
                instances="\n".join(f"        - 127.0.0.1:{port}" for port in setup.instances),
                routes=_routes(setup.routes),
            )
        )
        return Launch((self.python, "-P", "-m", "lb", "serve", path), self.env)


def _routes(number: int) -> str:
    """So many routes, the last of which is the one that requests take."""
    if not number:
        return ""
    others = [f"      - {{path: /part-{index}/}}" for index in range(number - 1)]
    return "\n".join(["    routes:", *others, "      - {path: /small}"])
