"""The command that serves a release: gunicorn or uvicorn (or granian, waitress) on a Unix socket, or the app's own.

Text only. It does not know whether the command runs in a sandbox, or who waits for its socket.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lb.apps.project.start import Serving, StartPlan

SHELL = "/bin/sh"
_DEFAULTS = {Serving.WSGI: "gunicorn", Serving.ASGI: "uvicorn"}
_THREADS = 8
# What makes a shell more than a way to start one program: `exec` before such a command would change it.
_COMPOUND = re.compile(
    r"[;&|<>()\n`]|^\s*(?:[!{]|\w+=)"
    r"|^\s*(?:if|for|while|until|case|cd|export|set|source|\.|exec|trap|ulimit|umask|eval|echo|exit|wait|command|unset|alias|:)(?:\s|$)"
)

_QUOTED = re.compile(r"'[^']*'")  # a shell looks into none of it

_GUNICORN = """\
# Made by lb for this instance. A setting that a version of gunicorn does not know is ignored by it.
import os


def is_patched():
    # The app makes all of Python gevent's while it is loaded, which must happen before there are threads.
    try:
        with open({module!r}, "rb") as file:
            if b"monkey.patch" not in file.read():
                return False
        import gevent
    except (IOError, ImportError):
        return False
    return True


try:
    import concurrent.futures  # gthread needs it; Python 2.7 may lack it
    worker_class = "gthread"
    threads = {threads}
except ImportError:
    worker_class = "sync"  # which more than one thread would turn into gthread
if is_patched():
    worker_class = "gevent"
bind = {bind!r}
workers = int(os.environ.get("WEB_CONCURRENCY") or 1)
timeout = 0  # lb's own time limits hold; a slow request must not end a worker
graceful_timeout = {grace}
control_socket_disable = True  # two instances with one home would share it
forwarded_allow_ips = "*"
accesslog = None
errorlog = "-"
loglevel = "info"
proc_name = {name!r}


def when_ready(server):
    os.chmod({socket!r}, 0o666)  # its directory says who may connect; the door may be another user
"""


@dataclass(frozen=True, slots=True)
class ServeCommand:
    """`argv` as the app's environment finds it, `shell` if a shell stands between, `config` the text of `config_path`.

    `socket` says whether it listens on the Unix socket that was given (else: on the port in its environment).
    """

    argv: tuple[str, ...]
    socket: bool
    shell: bool = False
    config: str = ""


@dataclass(frozen=True, slots=True)
class ServerPlace:
    """What a server is told: its socket, its Python, where its configuration will be, and what it is called."""

    socket: str
    python: str
    config_path: str
    name: str
    grace: float


def serve_command(start: StartPlan, listen: ServerPlace) -> ServeCommand:
    """The command for a plan."""
    if start.serving is Serving.COMMAND:
        return own_command(start.command or "")
    server = start.server or _DEFAULTS[start.serving]
    app = f"{start.module or start.serving.value}:application"
    maker = {"gunicorn": _gunicorn, "uvicorn": _uvicorn, "granian": _granian, "waitress": _waitress}[server]
    return maker(start, listen, app)


def own_command(command: str) -> ServeCommand:
    """A command in shell syntax. One program takes the shell's place, so that signals reach it and not a shell."""
    simple = not _COMPOUND.search(_QUOTED.sub("_", command))
    return ServeCommand((SHELL, "-c", f"exec {command}" if simple else command), socket=False, shell=not simple)


def _own_time(listen: ServerPlace) -> int:
    """Seconds for running requests: one less than the app has, so that the server ends by itself and says so."""
    return max(1, int(listen.grace) - 1)


def _gunicorn(start: StartPlan, listen: ServerPlace, app: str) -> ServeCommand:
    worker = ("-k", "uvicorn.workers.UvicornWorker") if start.serving is Serving.ASGI else ()
    config = _GUNICORN.format(
        bind=f"unix:{listen.socket}",
        socket=listen.socket,
        module=f"{(start.module or start.serving.value).replace('.', '/')}.py",
        threads=_THREADS,
        grace=_own_time(listen),
        name=listen.name,
    )
    argv = (listen.python, "-m", "gunicorn.app.wsgiapp", "-c", listen.config_path, *worker, app)
    return ServeCommand(argv, socket=True, config=config)


def _uvicorn(_: StartPlan, listen: ServerPlace, app: str) -> ServeCommand:
    argv = (
        listen.python, "-m", "uvicorn", "--uds", listen.socket, "--proxy-headers", "--forwarded-allow-ips", "*",
        "--no-access-log", "--timeout-graceful-shutdown", str(_own_time(listen)), app,
    )  # fmt: skip
    return ServeCommand(argv, socket=True)


def _granian(start: StartPlan, listen: ServerPlace, app: str) -> ServeCommand:
    interface = "asgi" if start.serving is Serving.ASGI else "wsgi"
    argv = (
        listen.python,
        "-m",
        "granian",
        "--interface",
        interface,
        "--uds",
        listen.socket,
        "--uds-permissions",
        "666",
        app,
    )
    return ServeCommand(argv, socket=True)


def _waitress(_: StartPlan, listen: ServerPlace, app: str) -> ServeCommand:
    argv = (
        listen.python, "-m", "waitress", f"--unix-socket={listen.socket}", "--unix-socket-perms=666",
        f"--threads={_THREADS}", app,
    )  # fmt: skip
    return ServeCommand(argv, socket=True)
