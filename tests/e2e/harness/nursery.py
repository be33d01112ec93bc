"""Front doors born of one process that has imported all of `lb`: half of the time of a test would be imports otherwise.

What is born is what `python -m lb` is: its own session, environment, directory and output, and an interpreter that
ends as any other does. Only its imports are its parent's. Tests of starting, or with an environment of their own, begin
a new interpreter instead.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from setproctitle import getproctitle

_LIMIT = 65536  # bytes of a request
_STEP = 0.01
_OUTPUT = (1, 2)
_HEEDED = ("LB_", "PYTHON")  # variables that imports go by


class Born:
    """A process of the nursery, to be used like a `subprocess.Popen` with text pipes."""

    def __init__(self, pid: int, life: socket.socket, stdout: IO[str], stderr: IO[str]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdout = stdout
        self.stderr = stderr
        self._life = life

    def poll(self) -> int | None:
        if self.returncode is None:
            with suppress(BlockingIOError):
                said = self._life.recv(_LIMIT)
                assert said, "the nursery ended"
                self.returncode = int(said)
                self._life.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, as Popen has it. Raises subprocess.TimeoutExpired after `timeout` seconds."""
        end = time.monotonic() + (float("inf") if timeout is None else timeout)
        while (code := self.poll()) is None:
            if time.monotonic() >= end:
                raise subprocess.TimeoutExpired("lb", timeout or 0)
            time.sleep(_STEP)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


class Nursery:
    """The process that has imported everything, seen from the tests."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.e2e.harness.nursery", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=environ,
                start_new_session=True,
            )
        atexit.register(self.close)

    def bear(self, arguments: Sequence[str], environ: dict[str, str], directory: Path) -> Born:
        """`python -m lb` with these arguments."""
        ours, life = socket.socketpair()
        pipes = [os.pipe() for _ in _OUTPUT]
        request = {"arguments": arguments, "environ": environ, "directory": str(directory)}
        with life:
            writing = [write for _, write in pipes]
            socket.send_fds(self._channel, [json.dumps(request).encode()], [life.fileno(), *writing])
            for descriptor in writing:
                os.close(descriptor)
        pid = int(ours.recv(_LIMIT))
        ours.setblocking(False)
        stdout, stderr = (os.fdopen(read, encoding="utf-8") for read, _ in pipes)
        return Born(pid, ours, stdout, stderr)

    def close(self) -> None:
        self._channel.close()
        self._process.wait()


def bear(arguments: Sequence[str], environ: dict[str, str], directory: Path) -> Born:
    """`python -m lb` with these arguments, from the nursery of this environment."""
    heeded = sorted((name, value) for name, value in environ.items() if name.startswith(_HEEDED))
    return _nursery(tuple(heeded)).bear(arguments, environ, directory)


@functools.cache
def _nursery(heeded: tuple[tuple[str, str], ...]) -> Nursery:
    return Nursery({name: value for name, value in os.environ.items() if not name.startswith(_HEEDED)} | dict(heeded))


class _Parent:
    """The nursery's own side. `request` is what a process that was just born is to do."""

    def __init__(self, channel: socket.socket) -> None:
        self.request: dict[str, Any] | None = None
        self._channel = channel
        self._selector = selectors.DefaultSelector()
        self._living: dict[int, tuple[int, socket.socket]] = {}  # by the descriptor that stands for the process
        self._selector.register(channel, selectors.EVENT_READ, self._bear)

    def run(self) -> None:
        """Until the tests have ended; in a child, until it was born."""
        while self.request is None and self._selector.get_map():
            for key, _ in self._selector.select():
                heard: Callable[[int], None] = key.data
                heard(key.fd)
                if self.request is not None:
                    return

    def _bear(self, _fd: int) -> None:
        message, descriptors, _, _ = socket.recv_fds(self._channel, _LIMIT, 3)
        if not message:
            self._selector.unregister(self._channel)
            for pid, _ in self._living.values():
                os.killpg(pid, signal.SIGKILL)
            return
        life = socket.socket(fileno=descriptors[0])
        pid = os.fork()
        if pid:
            self._watch(pid, life)
        else:
            life.close()
            self._leave()
            os.setsid()
            for number, descriptor in zip(_OUTPUT, descriptors[1:], strict=True):
                os.dup2(descriptor, number)
            self.request = json.loads(message)
        for descriptor in descriptors[1:]:
            os.close(descriptor)

    def _watch(self, pid: int, life: socket.socket) -> None:
        life.send(str(pid).encode())
        descriptor = os.pidfd_open(pid)
        self._living[descriptor] = pid, life
        self._selector.register(descriptor, selectors.EVENT_READ, self._bury)

    def _bury(self, descriptor: int) -> None:
        pid, life = self._living.pop(descriptor)
        self._selector.unregister(descriptor)
        os.close(descriptor)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with life, suppress(OSError):  # whoever asked for it may have gone
            life.send(str(status).encode())

    def _leave(self) -> None:
        """In a child: nothing of the nursery stays open."""
        self._selector.close()
        self._channel.close()
        for descriptor, (_, life) in self._living.items():
            os.close(descriptor)
            life.close()


def _run() -> None:
    import lb.cli.serve  # noqa: PLC0415  only here, in a process of its own
    from lb.cli.main import main  # noqa: PLC0415

    assert lb.cli.serve
    getproctitle()  # which finds where a title is put, while everything is still as the interpreter got it
    parent = _Parent(socket.socket(fileno=int(sys.argv[1])))
    parent.run()
    if parent.request is not None:
        arguments = parent.request["arguments"]
        os.environ.clear()
        os.environ.update(parent.request["environ"])
        os.chdir(parent.request["directory"])
        sys.argv = ["lb", *arguments]
        sys.orig_argv = [sys.executable, "-m", "lb", *arguments]
        main(prog_name="lb")


if __name__ == "__main__":
    _run()
