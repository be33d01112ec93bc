"""stderr without a reader, or not writable: nothing waits, nothing is raised, and what is lost is counted."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest

from lb.telemetry.stderr import Stderr
from tests.e2e.harness.door import command_environment
from tests.e2e.harness.waiting import wait_for


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The reading and the writing end; it holds 4 KiB."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(reading, False)
    yield reading, writing
    os.close(reading)
    os.close(writing)


def drain(stderr: Stderr, reading: int) -> bytes:
    """All that is written, room being made for what waits."""
    data = b""
    while True:
        stderr.push()
        try:
            data += os.read(reading, 1 << 20)
        except BlockingIOError:
            if not stderr.waits:
                return data


def test_lines_go_out_at_once_and_pieces_of_one_together(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    stderr = Stderr(writing)
    stderr.write(b"one\ntw")
    assert os.read(reading, 100) == b"one\n"
    stderr.write(b"o\n")
    assert os.read(reading, 100) == b"two\n"
    stderr.write(b"the end")
    stderr.finish()
    assert os.read(reading, 100) == b"the end\n"
    assert os.get_blocking(writing)  # others who have it may count on that


def test_a_full_pipe_holds_nobody_up_and_what_is_lost_is_said(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    stderr = Stderr(writing)
    began = monotonic()
    lines = [b"%0999d\n" % number for number in range(2000)]
    for line in lines:
        assert stderr.write(line) == len(line)
    assert monotonic() - began < 5
    written = drain(stderr, reading).splitlines(keepends=True)
    assert 200 < len(written) < 400
    assert written[:-1] == lines[: len(written) - 1]
    assert written[-1] == b"%d lines of this log were lost: there was no reader, or the disk was full\n" % (
        len(lines) - len(written) + 1
    )
    stderr.write(b"after\n")
    assert os.read(reading, 100) == b"after\n"


def test_the_end_waits_a_moment_for_a_slow_reader_and_no_longer(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    stderr = Stderr(writing)
    for _ in range(20):
        stderr.write(b"x" * 999 + b"\n")
    began = monotonic()
    stderr.finish(0.1)
    assert 0.1 <= monotonic() - began < 2
    assert stderr.waits
    assert len(drain(stderr, reading)) == 20_000
    stderr.finish(10)


def test_a_socket_that_nobody_reads_holds_nobody_up() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        stderr = Stderr(ours.fileno())
        for _ in range(1000):
            stderr.write(b"x" * 999 + b"\n")
        assert stderr.waits
        assert ours.getblocking()
        assert theirs.recv(1000) == b"x" * 999 + b"\n"


def test_a_reader_that_has_gone_is_no_error() -> None:
    reading, writing = os.pipe()
    stderr = Stderr(writing)
    os.close(reading)
    for _ in range(100):
        stderr.write(b"x" * 999 + b"\n")
    assert not stderr.waits
    os.close(writing)


def test_a_full_disk_is_no_error_and_lines_wait_for_room(tmp_path: Path) -> None:
    path = tmp_path / "log"
    code = f"""
import os, resource, sys
descriptor = os.open({str(path)!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
from lb.telemetry.stderr import Stderr
stderr = Stderr(descriptor)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
for _ in range(3):
    stderr.write(b"line\\n")
assert stderr.waits
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
stderr.finish()
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=30, check=False, env=command_environment())
    assert done.returncode == 0
    assert path.read_text() == "line\n" * 3


def test_a_fork_leaves_what_waits_to_the_parent_and_a_child_writes_by_itself(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    code = f"""
import os, sys, time
from lb.telemetry.stderr import finish_stderr, flush_stderr, install_stderr
sys.__stderr__ = sys.stderr = os.fdopen({writing}, "w")
install_stderr()
for number in range(10):
    print(f"parent {{number}} " + "x" * 900, file=sys.stderr)
assert flush_stderr()
child = os.fork()
if child == 0:
    assert not flush_stderr()
    for number in range(10):
        print(f"child {{number}} " + "x" * 900, file=sys.stderr)
    sys.stdout.write("c")
    sys.stdout.flush()
    time.sleep(0.5)
    finish_stderr()
    os._exit(0)
os.waitpid(child, 0)
finish_stderr()
"""
    environ = command_environment()
    with subprocess.Popen(
        [sys.executable, "-c", code], pass_fds=[writing], stdout=subprocess.PIPE, env=environ
    ) as program:
        assert program.stdout is not None
        assert program.stdout.read(1) == b"c"
        data = bytearray()

        def is_all() -> bool:
            with suppress(BlockingIOError):
                data.extend(os.read(reading, 1 << 20))
            return program.poll() is not None and data.count(b"\n") == 20

        wait_for(is_all, "the lines of both")
    lines = [line.split(b" x")[0].decode() for line in bytes(data).splitlines()]
    for who in ("parent", "child"):
        assert [line for line in lines if line.startswith(who)] == [f"{who} {number}" for number in range(10)]
