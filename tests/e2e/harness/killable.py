"""An instance that is a process of its own, so that it can be killed, stopped and started again."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from types import TracebackType
from typing import Self

from tests.e2e.harness.instance import reserve
from tests.e2e.harness.waiting import PATIENCE, wait_for

# Each answer is one write: an instance that dies within an answer is another story.
_PROGRAM = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.wfile.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\na page")

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class Killable:
    """The standard library's server on one port: GET is answered with 200, POST with 501. Use it in a `with`."""

    def __init__(self) -> None:
        self._held = reserve()  # nobody else is given the port while it is down
        self._port: int = self._held.getsockname()[1]
        self.address = f"127.0.0.1:{self._port}"
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(self._port)],
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
        self._held.close()
