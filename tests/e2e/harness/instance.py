"""App instances that do exactly as they are told: one thread a connection, one script a test.

A script is a function that is given each accepted connection as a `Peer`. Every byte of every connection is kept, and
whatever the front door sent that could be read in two ways ends up in `violations`.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.e2e.harness.waiting import PATIENCE, wait_for
from tests.e2e.harness.wire import (
    ByteStream,
    Malformed,
    Request,
    Truncated,
    read_request_body,
    read_request_head,
)


class PeerGone(Exception):  # noqa: N818  the ordinary end of a script
    """The front door closed the connection."""


class Peer:
    """One connection from the front door."""

    def __init__(self, instance: Instance, sock: socket.socket, number: int) -> None:
        self.instance = instance
        self.sock = sock
        self.number = number
        self.stream = ByteStream(sock)
        self.served = 0
        self.gone = False  # the front door has closed this connection
        self.reading = False  # in the middle of a request
        self.sent = 0

    def head(self) -> Request:
        """The head of the next request; raises PeerGone when the front door closed instead."""
        if not self.stream.pending and not self.stream.fill():
            raise PeerGone
        self.reading = True
        return read_request_head(self.stream)

    def body(self, head: Request) -> Request:
        """The whole request for a head already read; it counts as received from now on."""
        request = read_request_body(self.stream, head)
        self.reading = False
        self.served += 1
        self.instance.note(request)
        return request

    def request(self) -> Request:
        """The next whole request; raises PeerGone when the front door closed before it began."""
        return self.body(self.head())

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            size = self.sock.send(view[: 1 << 20])
            self.sent += size
            view = view[size:]

    def send_bytewise(self, data: bytes) -> None:
        for index in range(len(data)):
            self.send(data[index : index + 1])

    def half_close(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        self.sock.close()

    def wait_gone(self) -> bytes:
        """Read until the front door closes; gives what it still sent."""
        return self.stream.rest()


Script = Callable[[Peer], None]


class Instance:
    """A listening instance; `address` is its text in a configuration. Use it in a `with`."""

    def __init__(self, script: Script, *, sock: socket.socket | None = None, path: Path | None = None) -> None:
        """Listen on `sock` (bound, not listening yet), on a Unix socket at `path`, or on a free IPv4 port."""
        self.script = script
        self.requests: list[Request] = []
        self.violations: list[str] = []
        self.aborted: list[bytes] = []
        self.failures: list[BaseException] = []
        self.peers: list[Peer] = []
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._path = path
        self._listener = _bound(path) if sock is None else sock
        self._listener.listen(512)
        self.address = address_text(self._listener, path)
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def connections(self) -> int:
        """How many connections were ever accepted."""
        return len(self.peers)

    @property
    def open_connections(self) -> int:
        return sum(not peer.gone for peer in self.peers)

    @property
    def settled(self) -> bool:
        """Nothing is half read: what the front door sent has been taken note of."""
        return all(peer.gone or not peer.reading for peer in self.peers)

    @property
    def seen(self) -> bytes:
        """All bytes of all connections."""
        return b"".join(bytes(peer.stream.record) for peer in self.peers)

    def note(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)

    def wait_requests(self, count: int) -> list[Request]:
        return wait_for(
            lambda: list(self.requests) if len(self.requests) >= count else [], f"{count} requests at the instance"
        )

    def wait_peers(self, count: int) -> list[Peer]:
        return wait_for(lambda: list(self.peers) if len(self.peers) >= count else [], f"{count} connections")

    def stop(self) -> None:
        """Refuse new connections, end the open ones, and report what went wrong in scripts."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(PATIENCE)
        for peer in list(self.peers):
            with contextlib.suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        if kind is None:
            self.check()

    def check(self) -> None:
        """AssertionError when the front door sent something ambiguous or a script failed."""
        assert not self.violations, f"the front door sent {self.violations}"
        assert not self.failures, f"a script failed: {self.failures!r}"

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(4 * PATIENCE)
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer = Peer(self, sock, len(self.peers))
            self.peers.append(peer)
            thread = threading.Thread(target=self._run, args=(peer,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, peer: Peer) -> None:
        try:
            self.script(peer)
        except (PeerGone, OSError):
            pass
        except Truncated as end:
            self.aborted.append(end.partial)
        except Malformed as finding:
            self.violations.append(str(finding))
        except BaseException as problem:  # noqa: BLE001  told by check(), on the thread of the test
            self.failures.append(problem)
        finally:
            peer.gone = True
            peer.sock.close()


def _bound(path: Path | None) -> socket.socket:
    if path is None:
        return reserve()
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    return sock


def reserve(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """A socket bound to a port (0: a free one) and not listening: connections are refused until an Instance has it."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    return sock


def address_text(sock: socket.socket, path: Path | None = None) -> str:
    """How a configuration writes the address of a bound socket."""
    if path is not None:
        return f"unix:{path}"
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
