"""An instance that is a process of its own, so that it can be killed, stopped and started again."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.e2e.harness.instance import reserve
from tests.e2e.harness.waiting import PATIENCE, wait_for


class Killable:
    """The standard library's server on one port: GET is answered with 200, POST with 501. Use it in a `with`."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        (directory / "index.html").write_text("a page")
        self._directory = directory
        with reserve() as sock:
            self._port: int = sock.getsockname()[1]
        self.address = f"127.0.0.1:{self._port}"
        self.start()

    def start(self) -> None:
        server = ("http.server", str(self._port), "--bind", "127.0.0.1", "--protocol", "HTTP/1.1")
        self._process = subprocess.Popen(
            [sys.executable, "-m", *server, "--directory", str(self._directory)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self._accepts, "the instance to listen", 30)

    def _accepts(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()
