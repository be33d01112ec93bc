"""A hostile client in a process of its own, and its counters. Its target is always 127.0.0.1."""

from __future__ import annotations

import multiprocessing
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event as ProcessEvent

_PROCESSES = multiprocessing.get_context("fork")
_PATIENCE = 30.0  # seconds for an attack to be under way, and for it to end
_LONGEST = 120.0  # seconds after which it ends by itself


@dataclass(frozen=True, slots=True)
class Target:
    """The front door's ports on 127.0.0.1, the attacked host, and another with an instance of its own."""

    http: int
    https: int
    host: str
    calm: str


class Tally:
    """What an attack has done so far; shared with the observer."""

    def __init__(self) -> None:
        self._numbers: list[Synchronized[int]] = [_PROCESSES.Value("q", 0) for _ in range(4)]
        self.ready: ProcessEvent = _PROCESSES.Event()
        self.stop: ProcessEvent = _PROCESSES.Event()
        self._until = time.monotonic() + _LONGEST

    def running(self) -> bool:
        return not self.stop.is_set() and time.monotonic() < self._until

    def add(self, *, connections: int = 0, sent: int = 0, answers: int = 0, lost: int = 0) -> None:
        """Connections made, bytes sent, answers seen, connections that the front door ended."""
        for number, more in zip(self._numbers, (connections, sent, answers, lost), strict=True):
            if more:
                number.value += more  # one writer

    @property
    def connections(self) -> int:
        return self._numbers[0].value

    @property
    def sent(self) -> int:
        return self._numbers[1].value

    @property
    def answers(self) -> int:
        return self._numbers[2].value

    @property
    def lost(self) -> int:
        return self._numbers[3].value


Attack = Callable[[Target, int, Tally], None]
"""Attack with so many connections until the tally says stop; `tally.ready` is set at full strength."""


@contextmanager
def attacking(attack: Attack, target: Target, size: int) -> Iterator[Tally]:
    """Run the attack beside the block, once it is at full strength. Raises RuntimeError if it never is."""
    tally = Tally()
    process = _PROCESSES.Process(target=attack, args=(target, size, tally), daemon=True)
    process.start()
    try:
        end = time.monotonic() + _PATIENCE
        while not tally.ready.wait(0.1):
            if time.monotonic() > end or not process.is_alive():
                raise RuntimeError("the attack did not start")
        yield tally
    finally:
        tally.stop.set()
        process.join(_PATIENCE)
        if process.is_alive():
            process.kill()
            process.join()


def connect(
    target: Target, count: int, tally: Tally, *, tls: bool = False, receive_buffer: int = 0, send_buffer: int = 65536
) -> list[socket.socket]:
    """So many non-blocking connections. Without a bound, megabytes of each would wait in the kernel."""
    made = []
    for _ in range(count):
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        sock.settimeout(10)
        with suppress(OSError):
            sock.connect(("127.0.0.1", target.https if tls else target.http))
            made.append(sock)
        sock.setblocking(False)
    tally.add(connections=len(made))
    return made


def send(sock: socket.socket, data: bytes, tally: Tally) -> bool:
    """Send what the front door takes; False when it has ended the connection."""
    try:
        tally.add(sent=sock.send(data))
    except BlockingIOError:
        return True
    except OSError:
        tally.add(lost=1)
        return False
    return True


def drain(sock: socket.socket, tally: Tally) -> bool:
    """Read what has arrived, and count its responses; False when the connection has ended."""
    try:
        data = sock.recv(262144)
    except BlockingIOError:
        return True
    except OSError:
        data = b""
    tally.add(answers=data.count(b"HTTP/1.1 "))
    if not data:
        tally.add(lost=1)
    return bool(data)
