"""Where the log and the access log go is full, stuck or locked: requests are served, an end ends, and it is told."""

from __future__ import annotations

import fcntl
import os
import re
import resource
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from lb.tls.files.locking import TIMEOUT
from tests.e2e.harness import process
from tests.e2e.harness.certificates import Authority
from tests.e2e.harness.client import HOST, Client, get
from tests.e2e.harness.door import FrontDoor, command_environment, configure
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.metrics import metric
from tests.e2e.harness.scripts import echo
from tests.e2e.harness.waiting import wait_for
from tests.e2e.test_stored_certificates import configuration, install


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The reading and the writing end."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    yield reading, writing
    os.close(reading)
    os.close(writing)


def fill(writing: int) -> None:
    """So that there is no room for a single byte."""
    own = os.open(f"/proc/self/fd/{writing}", os.O_WRONLY | os.O_NONBLOCK)
    for size in (4096, 1):
        try:
            while True:
                os.write(own, b"x" * size)
        except BlockingIOError:
            pass
    os.close(own)


def read(reading: int) -> str:
    try:
        return os.read(reading, 1 << 20).decode()
    except BlockingIOError:
        return ""


def test_a_log_that_nobody_reads_holds_up_no_request_and_no_end(tmp_path: Path, pipe: tuple[int, int]) -> None:
    # spec: R2, R3
    reading, writing = pipe
    file = tmp_path / "lb.yaml"
    with Instance(echo()) as instance:
        with FrontDoor(configure(instance.address), tmp_path):
            pass  # which writes the file
        with subprocess.Popen(
            [sys.executable, "-m", "lb", "serve", str(file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=writing,
            env=command_environment({"XDG_RUNTIME_DIR": str(tmp_path)}),
            cwd=tmp_path,
        ) as program:
            said = ""

            def is_ready() -> bool:
                nonlocal said
                said += read(reading)
                return "\nready\n" in said

            wait_for(is_ready, "it to serve", 30)
            found = re.search(r"http://127\.0\.0\.1:(\d+)", said)
            assert found is not None
            fill(writing)
            workers = process.children(program.pid)
            for turn in range(30):
                program.send_signal(signal.SIGHUP)  # three lines each
                with Client(("127.0.0.1", int(found[1]))) as client:
                    assert client.ask(get(f"/{turn}")).status == 200
            os.kill(workers[0], signal.SIGKILL)
            wait_for(lambda: workers != process.children(program.pid) != [], "another worker")
            with Client(("127.0.0.1", int(found[1]))) as client:
                assert client.ask(get()).status == 200
            program.send_signal(signal.SIGTERM)
            assert program.wait(20) == 0


def test_a_full_disk_is_told_and_counted_at_once(tmp_path: Path) -> None:
    # spec: R4, E3
    with Instance(echo()) as instance:
        log = {"path": "/dev/full", "format": "json"}
        config = configure(instance.address, access_log=log, admin="127.0.0.1:0")
        with FrontDoor(config, tmp_path) as door:
            for _ in range(20):
                assert door.ask(get()).status == 200
            wait_for(lambda: metric(door, "lb_log_lines_dropped_total") == 20, "the lines to be counted")
            said = [line for line in door.stderr if "access log" in line and "cannot be written" in line]
            assert len(said) == 1
            assert "No space left on device" in said[0]


def test_a_lock_that_somebody_keeps_stops_neither_a_command_nor_the_end_for_ever(
    tmp_path: Path, short_path: Path
) -> None:
    # spec: R2
    environ = {"XDG_RUNTIME_DIR": str(short_path)}
    with Instance(echo()) as instance, FrontDoor(configure(instance.address), tmp_path, env=environ) as door:
        lock = os.open(short_path / "lb" / ".lock", os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        began = monotonic()
        asked = subprocess.run(
            [sys.executable, "-m", "lb", "reload", str(door.file)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env=command_environment(environ),
        )
        assert asked.returncode == 1
        assert "another process has kept the lock for longer than 5 s" in asked.stderr
        assert TIMEOUT <= monotonic() - began < TIMEOUT + 10
        door.signal(signal.SIGTERM)
        assert door.wait_end() == 0
        os.close(lock)


def test_certificates_that_cannot_be_read_for_a_moment_are_read_again(tmp_path: Path, authority: Authority) -> None:
    # spec: T5, R2
    def serial() -> str:
        with door.connect_tls(authority.context(), HOST) as client:
            assert isinstance(client.sock, ssl.SSLSocket)
            found = client.sock.getpeercert()
            assert found
            return str(found["serialNumber"])

    install(tmp_path, authority.issue(HOST), HOST)
    with Instance(echo()) as instance, FrontDoor(configuration(instance.address), tmp_path) as door:
        [worker] = [pid for pid in door.workers if "worker" in process.title(pid)]
        before = serial()
        limits = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (3, limits[1]))
        install(tmp_path, authority.issue(HOST), HOST)
        wait_for(lambda: any("certificates cannot be read" in line for line in door.stderr), "the failure")
        resource.prlimit(worker, resource.RLIMIT_NOFILE, limits)
        wait_for(lambda: serial() != before, "the new certificate")
        assert door.reload()
