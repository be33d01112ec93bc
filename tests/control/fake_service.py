"""A service whose workers speak a one-line protocol instead of HTTP: `python -m tests.control.fake_service KIND
[SLOTS]`.

A worker answers `ask` with its process id and the number of SIGUSR1 it got, and `hold` only when the connection's next
line comes, so that a drain has something to wait for; after `hang` it does nothing any more; at `hang up` it ends its
line to the supervisor. KIND says how the workers
(or the assistant) misbehave, or that they are watched closely.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from functools import partial

from lb.control.api.systemd import Notifier
from lb.control.ending import Ending, EndingTimes
from lb.control.reload.steps import NoPlans
from lb.control.supervisor import Supervisor
from lb.control.watchdog import Watchdog
from lb.process.channel import Channel
from lb.process.child import Role, RolePlace
from lb.process.scoreboard import Board
from lb.process.verbs import Verb
from lb.telemetry.process_kind import ProcessKind


class FakeWorker:
    def __init__(self, listening: socket.socket, *, stubborn: bool) -> None:
        self.listening = listening
        self.stubborn = stubborn
        self.reopened = 0
        self.open = 0
        self.draining = asyncio.Event()
        self.idle = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        while line := (await reader.readline()).strip():
            if line == b"hang":
                time.sleep(1000)  # noqa: ASYNC251  that is the point
            if line == b"certificates":
                self.channel.say(Verb.CERTIFICATES)
            if line == b"hang up":
                self.line.shutdown(socket.SHUT_RDWR)
            if line == b"hold":
                writer.write(b"held\n")
                await reader.readline()
            writer.write(f"{os.getpid()} {self.reopened}\n".encode())
            await writer.drain()
            if self.draining.is_set():
                break
        writer.close()
        self.open -= 1
        self.idle.set()

    def reopen(self) -> None:
        self.reopened += 1

    def terminated(self) -> None:
        if not self.stubborn:
            self.draining.set()

    async def serve(self, line: socket.socket) -> None:
        self.line = line
        loop = asyncio.get_running_loop()
        channel = self.channel = Channel(loop, line, self.draining.set)
        loop.add_signal_handler(signal.SIGTERM, self.terminated)
        loop.add_signal_handler(signal.SIGUSR1, self.reopen)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGUSR1))
        server = await asyncio.start_server(self.answer, sock=self.listening)
        channel.say_ready()
        await self.draining.wait()
        server.close()
        while self.open:
            self.idle.clear()
            await self.idle.wait()


def assistant(line: socket.socket, board: Board, *, deaf: bool) -> int:
    """Says on stderr what it sees of the board when it is told to end."""
    line.send(b"ready\n")
    if deaf:
        time.sleep(1000)  # SIGTERM stays blocked
    signal.sigwait({signal.SIGTERM})
    print(f"assistant: {[worker.pid for worker in board.workers()]} draining={board.draining}", file=sys.stderr)
    return 0


class BrokenPlans(NoPlans):
    def read_certificates(self) -> None:
        raise OSError(24, "Too many open files")


def main() -> None:
    kind, slots = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    board = Board(slots)
    sockets: list[socket.socket] = []
    for _ in range(slots):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("127.0.0.1", sockets[0].getsockname()[1] if sockets else 0))
        sock.listen(128)
        sockets.append(sock)

    def work(slot: int, line: socket.socket) -> int:
        if kind == "crash" or (kind == "half" and slot):
            raise RuntimeError("this worker cannot start")
        asyncio.run(FakeWorker(sockets[slot], stubborn=kind == "stubborn").serve(line))
        return 0

    def assist(line: socket.socket) -> int:
        return 1 if kind == "bad assistant" else assistant(line, board, deaf=kind == "deaf assistant")

    roles = [
        Role(
            f"worker {slot + 1}/{slots}",
            partial(work, slot),
            (sockets[slot],),
            slot,
            RolePlace(ProcessKind.WORKER, slot),
        )
        for slot in range(slots)
    ]
    if "assistant" in kind:
        roles.append(Role("assistant", assist, (), None, RolePlace(ProcessKind.HEALTH)))
    ending = Ending(lambda: EndingTimes(drain=0.1)) if kind == "limited" else None
    print(f"port {sockets[0].getsockname()[1]}", file=sys.stderr, flush=True)
    announce = partial(print, "ready", file=sys.stderr, flush=True)
    watchdog = Watchdog(0.5) if kind == "watched" else None
    supervisor = Supervisor(
        roles,
        board,
        announce,
        None,
        Notifier(os.environ),
        watchdog=watchdog,
        ending=ending,
        plans=BrokenPlans(),
    )
    sys.exit(supervisor.run())


if __name__ == "__main__":
    main()
