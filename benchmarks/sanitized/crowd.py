"""Clients and an instance that send mutants and behave badly, in processes of their own, until told to stop."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import random
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

from benchmarks.sanitized import mutants
from tests.e2e.harness.client import HOST
from tests.e2e.harness.hello import client_hello

_PROCESSES = multiprocessing.get_context("fork")
_LAST = 60.0  # seconds for all of them to end
_PATIENCE = 0.2  # seconds for a response: more connections are worth more than complete responses
_AT_ONCE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Seen:
    """The number of connections, of responses to the well-behaved client, and what was wrong with them."""

    count: int = 0
    answered: int = 0
    failures: tuple[str, ...] = ()


@contextmanager
def crowding(seed: int, http: int, https: int, calm: str, clients: int) -> Iterator[list[Seen]]:
    """So many hostile clients, and a well-behaved one that uses the host `calm`, in a process of their own, because a
    process with threads should not fork. Their results are in the list at the end.
    """
    here, there = _PROCESSES.Pipe()
    process = _PROCESSES.Process(target=_live, args=(there, seed, http, https, calm, clients), daemon=True)
    process.start()
    seen: list[Seen] = []
    try:
        yield seen
    finally:
        here.send(None)
        if here.poll(_LAST):
            seen.append(here.recv())
        process.join(_LAST)
        process.kill()


def _live(pipe: Connection, seed: int, http: int, https: int, calm: str, clients: int) -> None:
    crowd = _Crowd()
    for number in range(clients):
        crowd.start(crowd.press, random.Random(f"{seed} {number}"), http, https)
    crowd.start(crowd.watch, http, calm)
    pipe.recv()
    pipe.send(crowd.end())


class _Crowd:
    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self._count = self._answered = 0
        self._failures: list[str] = []

    def end(self) -> Seen:
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        return Seen(self._count, self._answered, tuple(self._failures))

    def start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments)
        thread.start()
        self._threads.append(thread)

    def press(self, chance: random.Random, http: int, https: int) -> None:
        while not self._stopped.is_set():
            self._count += 1
            with contextlib.suppress(OSError, ValueError):
                _visit(chance, http, https)

    def watch(self, http: int, calm: str) -> None:
        asked = f"GET / HTTP/1.1\r\nHost: {calm}\r\n\r\n".encode()
        while not self._stopped.wait(0.02):
            try:
                with socket.create_connection(("127.0.0.1", http), 30) as sock:
                    sock.sendall(asked)
                    said = sock.recv(4096)
            except OSError as error:
                said = str(error).encode()
            self._answered += 1
            if not said.startswith(b"HTTP/1.1 200 "):
                self._failures.append(said[:200].decode("latin-1"))


def _visit(chance: random.Random, http: int, https: int) -> None:
    """One connection, over TLS or not, and its bad end."""
    data = b"".join(mutants.request(chance) for _ in range(chance.choice((1, 1, 1, 5))))
    with socket.socket() as raw:
        if chance.randrange(4) == 0:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        raw.settimeout(_PATIENCE)
        way = chance.randrange(6)
        raw.connect(("127.0.0.1", https if way < 3 else http))
        sock = raw
        if way == 0:
            data = client_hello(chance.randbytes(chance.choice((5, 60, 5000)))) + data
        elif way == 1:
            sock = _context(chance).wrap_socket(raw, server_hostname=HOST)
        with sock:
            for piece in mutants.pieces(chance, data):
                sock.sendall(piece)
            _leave(chance, sock)


def _leave(chance: random.Random, sock: socket.socket) -> None:
    match chance.randrange(5):
        case 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        case 1:
            sock.shutdown(socket.SHUT_WR)
            sock.recv(1 << 20)
        case 2:
            if isinstance(sock, ssl.SSLSocket):  # bytes that are not a record, within TLS
                socket.socket.sendall(socket.socket(fileno=sock.detach()), chance.randbytes(100))
        case _:
            sock.recv(1 << 20)


def _context(chance: random.Random) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = chance.choice((ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3))
    return context


@contextmanager
def bad_instance(seed: int) -> Iterator[str]:
    """Yields its address; it responds to every request with a mutant."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as server:
        process = _PROCESSES.Process(target=_accept, args=(server, seed), daemon=True)
        process.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            process.kill()
            process.join()


def _accept(server: socket.socket, seed: int) -> None:
    for number in itertools.count():
        sock, _ = server.accept()
        chance = random.Random(f"{seed} {number}")
        threading.Thread(target=_answer, args=(sock, chance), daemon=True).start()


def _answer(sock: socket.socket, chance: random.Random) -> None:
    with sock, contextlib.suppress(OSError):
        sock.settimeout(5)
        while sock.recv(1 << 16):
            for piece in mutants.pieces(chance, mutants.response(chance)):
                sock.sendall(piece)
            if chance.randrange(3) == 0:
                if chance.randrange(2) == 0:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
                return
