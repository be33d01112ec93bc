"""serles-acme as the certificate authority: one of another make than pebble, from an environment of its own."""

from __future__ import annotations

import os
import shutil
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.harness.pebble import server_process
from tests.e2e.harness.ports import accepts, held_ports
from tests.e2e.harness.waiting import wait_for

_APP = Path(__file__).parents[1] / "apps"


@dataclass(frozen=True, slots=True)
class Serles:
    """`http` is the port at which it looks for proofs."""

    directory: str
    http: int
    root: Path

    def trust(self) -> ssl.SSLContext:
        """A client's context that trusts the certificates that it gives."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.root)
        return context


def is_missing() -> bool:
    """Whether it is not installed; in CI that is a failure."""
    missing = shutil.which("serles") is None
    assert not missing or not os.environ.get("CI"), "serles-acme is not installed"
    return missing


@contextmanager
def running_serles(directory: Path) -> Iterator[Serles]:
    directory.mkdir()
    config = directory / "serles.ini"
    config.write_text(
        "[serles]\n"
        f"database = sqlite:///{directory}/serles.db\n"
        "backend = serles_ca:Backend\n"
        "subjectNameTemplate = CN={SAN[0]}\n"
    )
    root = directory / "root.pem"
    with held_ports(2) as (port, http):
        environ = {name: text for name, text in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
        environ |= {"CONFIG": str(config), "HTTP_PORT": str(http), "ROOT_FILE": str(root)}
        gunicorn = Path(shutil.which("serles") or "").parent / "gunicorn"
        command = (gunicorn, "--threads", "8", "--bind", f"127.0.0.1:{port}", "--chdir", _APP, "serles:create_app()")
        with server_process(command, directory / "serles.log", environ):
            wait_for(lambda: accepts(port) and root.exists(), "serles to listen", 30)
            yield Serles(f"http://127.0.0.1:{port}/directory", http, root)
