"""The engine of `lb demo`: a child of its own that ends with the demo, however that ends, and takes its apps along.

It is forked, and by itself brings up what the demo shows, while its parent loads the front door. This file knows
processes and pipes. What is deployed is demo_deploys.py's business.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from lb.apps.service.engine_service import EngineStartError, engine_directory
from lb.apps.service.engine_socket import find_engine, peer_user
from lb.apps.service.main import run_engine
from lb.cli.engine_client import EngineLine
from lb.cli.exits import FAILED, fail
from lb.cli.stderr_log import log_to_stderr
from lb.config.model import Config

_STEP = 0.02  # seconds between two looks
_END = 20.0  # seconds for the engine and its apps to end
_SHOWN = 4000  # bytes of its log
_DONE = b"done"
_SHUTDOWN = b'{"protocol": 1, "command": "shutdown", "apps": true}\n'


@dataclass(frozen=True, slots=True)
class DemoOrder:
    """What the child runs: the engine of `file`, and, once that listens, `bring_up` with a way to reach it and one to
    say that the first page can be shown, and what went wrong.
    """

    file: Path
    config: Config
    read_config: Callable[[], Config]
    bring_up: Callable[[Callable[[], EngineLine], Callable[[str], None]], None]


class DemoEngine:
    """Started; `close` ends it."""

    def __init__(self, order: DemoOrder) -> None:
        """Raises OSError."""
        home = engine_directory(order.config, os.environ)
        home.prepare()
        self._log = home.root / "engine.log"
        self._begin = self._log.stat().st_size if self._log.exists() else 0
        ends, self._line = os.pipe()
        self._news, news = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            os.close(self._line)
            os.close(self._news)
            _run(order, self._log, ends, news)
        os.close(ends)
        os.close(news)

    def wait(self) -> str:
        """Returns when the first page can be shown: what went wrong, "" if nothing did. Ends the command with the
        engine's own words where it did not start.
        """
        said = b""
        while piece := os.read(self._news, 4096):
            said += piece
        if said.startswith(_DONE):
            return said.removeprefix(_DONE).decode()
        with self._log.open("rb") as file:
            file.seek(self._begin)
            sys.stderr.write(file.read()[-_SHOWN:].decode(errors="replace"))
        return fail("the demo's engine did not start; the reason is shown above", FAILED)

    def close(self) -> None:
        """Its apps get SIGTERM, and it ends after them."""
        os.close(self._line)
        os.close(self._news)
        until = time.monotonic() + _END
        while self._is_alive():
            if time.monotonic() > until:
                os.kill(self._pid, signal.SIGKILL)
                with suppress(ChildProcessError):
                    os.waitpid(self._pid, 0)
                return
            time.sleep(_STEP)  # waitpid has no time-out of its own

    def _is_alive(self) -> bool:
        try:
            return os.waitpid(self._pid, os.WNOHANG)[0] == 0
        except ChildProcessError:
            return False


def _run(order: DemoOrder, log: Path, ends: int, news: int) -> NoReturn:
    """The child: the engine, until the other end of the pipe `ends` is closed."""
    try:
        os.setpgid(0, 0)  # Ctrl-C goes to the front door alone
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for stream in (1, 2):
            os.dup2(output, stream)
        log_to_stderr()
        threading.Thread(target=_end_with_parent, args=(order.file, ends), daemon=True).start()
        bring_up = threading.Thread(target=_bring_up, args=(order, news), daemon=True)
        run_engine(order.config, order.file, order.read_config, os.environ, lambda _: bring_up.start())
    except EngineStartError as error:
        sys.stderr.write(f"{error}\n")
    except BaseException:  # noqa: BLE001  the parent shows the log
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(0)


def _bring_up(order: DemoOrder, news: int) -> None:
    def tell(text: str) -> None:
        with suppress(OSError):  # the parent has gone
            os.write(news, _DONE + text.encode())
        os.close(news)

    order.bring_up(lambda: _connect(order.file), tell)


def _connect(file: Path) -> EngineLine:
    """Raises OSError."""
    connection = find_engine(file, os.environ)
    if connection is None:
        raise ConnectionRefusedError
    connection.settimeout(None)
    return EngineLine(connection.makefile("rb"), connection.sendall, connection.close)


def _end_with_parent(file: Path, ends: int) -> None:
    os.read(ends, 1)
    while True:  # it has not begun to listen yet, or ends
        with suppress(OSError):
            connection = find_engine(file, os.environ)
            if connection is not None and peer_user(connection).pid == os.getpid():  # another demo's stays
                with connection:
                    connection.settimeout(_END)
                    connection.sendall(_SHUTDOWN)
                    connection.recv(1)
        time.sleep(_STEP)
