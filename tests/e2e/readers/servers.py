"""Starting servers of other makes on ports of their own: Python's, Node's, and nginx and Apache in front of one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e.harness.door import command_environment
from tests.e2e.harness.ports import accepts, held_ports
from tests.e2e.harness.waiting import PATIENCE, wait_for

_PYTHON = sys.executable
_ASGI = "tests.e2e.readers.report:asgi"
_WSGI = "tests.e2e.readers.report:wsgi"
_COMMANDS: dict[str, tuple[str, ...]] = {
    "aiohttp": (_PYTHON, "-m", "tests.e2e.readers.report", "{port}"),
    "uvicorn on httptools": (
        _PYTHON,
        "-m",
        "uvicorn",
        "--http",
        "httptools",
        "--ws",
        "none",
        "--port",
        "{port}",
        _ASGI,
    ),
    "uvicorn on h11": (_PYTHON, "-m", "uvicorn", "--http", "h11", "--ws", "none", "--port", "{port}", _ASGI),
    "gunicorn sync": (_PYTHON, "-m", "gunicorn", "-b", "127.0.0.1:{port}", _WSGI),
    "gunicorn gthread": (_PYTHON, "-m", "gunicorn", "-k", "gthread", "--threads", "4", "-b", "127.0.0.1:{port}", _WSGI),
    "Node": ("node", str(Path(__file__).with_name("report.js")), "{port}"),
    "nginx": ("nginx", "-c", "{directory}/nginx.conf", "-e", "stderr"),
    "Apache": ("apache2", "-X", "-f", "{directory}/apache.conf"),
}
_NGINX = """
daemon off; master_process off; pid {directory}/nginx.pid; error_log stderr;
events {{ }}
http {{
  access_log off; client_max_body_size 0; client_body_temp_path {directory}/bodies;
  proxy_temp_path {directory}/proxied; fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{app}; proxy_http_version 1.1; }} }}
}}
"""
_MODULES = "/usr/lib/apache2/modules"
_APACHE = """
ServerRoot {directory}
ServerName localhost
PidFile {directory}/apache.pid
DefaultRuntimeDir {directory}
ErrorLog {directory}/apache.log
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
{user}
Listen 127.0.0.1:{port}
AllowEncodedSlashes NoDecode
ProxyPass / http://127.0.0.1:{app}/ nocanon
"""


@contextmanager
def readers(directory: Path) -> Iterator[dict[str, int]]:
    """Every server that is installed, by name: its port. In CI all of them have to be."""
    with ExitStack() as stack:
        ports: dict[str, int] = {}
        for name, command in _COMMANDS.items():
            if shutil.which(command[0]) is None:
                if os.environ.get("CI"):
                    pytest.fail(f"not installed: {command[0]}")
                continue
            (ports[name],) = stack.enter_context(held_ports(1))
            _configure(name, directory, ports[name], ports["aiohttp"])
            stack.enter_context(_running(name, command, directory, ports[name]))
        for name, port in ports.items():
            wait_for(lambda port=port: accepts(port), name, 30)  # type: ignore[misc]
        yield ports


def _configure(name: str, directory: Path, port: int, app: int) -> None:
    if name == "nginx":
        (directory / "nginx.conf").write_text(_NGINX.format(directory=directory, port=port, app=app))
    if name == "Apache":
        user = "User daemon\nGroup daemon" if os.getuid() == 0 else ""
        config = _APACHE.format(directory=directory, modules=_MODULES, user=user, port=port, app=app)
        (directory / "apache.conf").write_text(config)
        directory.chmod(0o755)


@contextmanager
def _running(name: str, command: tuple[str, ...], directory: Path, port: int) -> Iterator[None]:
    arguments = [part.format(port=port, directory=directory) for part in command]
    with (directory / f"{name}.out").open("wb") as output:
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=command_environment(), cwd=directory
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
        process.kill()
        process.wait()
