from __future__ import annotations

import os
import resource
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from lb.telemetry.access_log import AccessLog
from lb.telemetry.sink_trouble import SinkTrouble
from tests.e2e.harness.waiting import wait_for

PATIENCE = 20.0  # seconds after which something that should come is taken for lost
LINES = [b"line %d\n" % number for number in range(1000)]


def write(log: AccessLog, *lines: bytes) -> None:
    for line in lines:
        log.append(line)
    log.flush()


def log_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "access log"]


class Reader:
    """The reading end of a named pipe."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def take(self, lines: int) -> list[bytes]:
        """The next lines, as soon as they are there; a failure if they do not come."""
        data = bytearray()
        count = 0
        deadline = monotonic() + PATIENCE
        while count < lines:
            ready, _, _ = select.select([self.descriptor], [], [], max(0.0, deadline - monotonic()))
            assert ready, f"{count} of {lines} lines came"
            piece = os.read(self.descriptor, 1 << 20)
            assert piece, f"the writer left after {count} of {lines} lines"
            count += piece.count(b"\n")
            data += piece
        return bytes(data).splitlines(keepends=True)

    def close(self) -> None:
        os.close(self.descriptor)


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


@pytest.fixture
def reader(pipe: Path) -> Iterator[Reader]:
    end = Reader(pipe)
    yield end
    end.close()


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = log_threads()
    yield
    assert log_threads() == before


# spec: R4
def test_lines_are_written_in_order(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(b"already here\n")
    log = AccessLog(str(path), "json")
    for line in LINES:
        log.append(line)
        if line.endswith(b"7\n"):
            log.flush()
    log.close(PATIENCE)
    assert path.read_bytes() == b"already here\n" + b"".join(LINES)
    assert log.dropped == 0


# spec: R4
def test_there_is_no_thread_before_the_first_flush_of_a_line(tmp_path: Path) -> None:
    log = AccessLog(str(tmp_path / "access.log"), "json")
    log.flush()
    log.append(b"a\n")
    log.reopen()
    assert log_threads() == []
    log.flush()
    assert len(log_threads()) == 1
    write(log, b"b\n")
    assert len(log_threads()) <= 1
    log.close(PATIENCE)
    assert (tmp_path / "access.log").read_bytes() == b"a\nb\n"


# spec: R4
def test_close_without_a_flush_writes_what_was_appended(tmp_path: Path) -> None:
    log = AccessLog(str(tmp_path / "access.log"), "json")
    log.append(b"a\n")
    log.close(PATIENCE)
    log.close(PATIENCE)
    assert (tmp_path / "access.log").read_bytes() == b"a\n"


# spec: R4
def test_a_log_that_is_off_makes_nothing(tmp_path: Path) -> None:
    log = AccessLog(str(tmp_path / "access.log"), "off")
    write(log, b"a\n")
    log.reopen()
    log.close(PATIENCE)
    assert list(tmp_path.iterdir()) == []
    assert log.dropped == 0


# spec: R1
def test_a_file_that_cannot_be_opened_is_an_error_at_start(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        AccessLog(str(tmp_path / "missing" / "access.log"), "json")
    with pytest.raises(IsADirectoryError):
        AccessLog(str(tmp_path), "json")


def test_others_may_not_read_the_file(tmp_path: Path) -> None:
    AccessLog(str(tmp_path / "access.log"), "json").close(PATIENCE)
    assert (tmp_path / "access.log").stat().st_mode & 0o007 == 0


# spec: R4
def test_reopen_goes_on_in_a_new_file(tmp_path: Path, reader: Reader, pipe: Path) -> None:
    # The pipe tells when the first line has left the queue; a file would have to be watched.
    log = AccessLog(str(pipe), "json")
    write(log, b"old\n")
    assert reader.take(1) == [b"old\n"]
    pipe.rename(tmp_path / "rotated")
    write(log, b"old too\n")
    assert reader.take(1) == [b"old too\n"]
    log.reopen()
    write(log, b"new\n")
    log.close(PATIENCE)
    assert pipe.read_bytes() == b"new\n"


# spec: R4
def test_reopen_before_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    log = AccessLog(str(path), "json")
    path.rename(tmp_path / "rotated")
    log.reopen()
    write(log, b"a\n")
    log.close(PATIENCE)
    assert path.read_bytes() == b"a\n"
    assert (tmp_path / "rotated").read_bytes() == b""


# spec: R4
def test_a_reopen_that_fails_keeps_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    log = AccessLog(str(tmp_path / "logs" / "access.log"), "json")
    (tmp_path / "logs").rename(tmp_path / "moved")
    log.reopen()
    write(log, b"a\n")
    log.close(PATIENCE)
    assert (tmp_path / "moved" / "access.log").read_bytes() == b"a\n"


# spec: R4
def test_a_stuck_pipe_holds_up_nobody_and_loses_only_what_is_too_much(pipe: Path, reader: Reader) -> None:
    log = AccessLog(str(pipe), "json")
    lines = [b"%07d %s\n" % (number, b"x" * 1015) for number in range(8 * 1024)]  # 8 MiB
    started = monotonic()
    for line in lines:
        log.append(line)
        if line.startswith(b"00", 5):
            log.flush()
    log.flush()
    assert monotonic() - started < PATIENCE / 2
    kept = len(lines) - log.dropped
    assert 3 * 1024 < kept < 5 * 1024
    received = reader.take(kept)
    assert received[: 3 * 1024] == lines[: 3 * 1024]
    assert received == sorted(set(lines) & set(received))
    # There is room again, and the log is whole from here on.
    write(log, b"after\n")
    assert reader.take(1) == [b"after\n"]
    log.close(PATIENCE)
    assert log.dropped == len(lines) - kept


# spec: R4
def test_closing_a_stuck_log_keeps_to_its_timeout_and_counts_what_is_lost(pipe: Path, reader: Reader) -> None:
    log = AccessLog(str(pipe), "json")
    lines = [b"%0999d\n" % number for number in range(500)]
    for start in range(0, len(lines), 50):
        write(log, *lines[start : start + 50])
    started = monotonic()
    log.close(0.2)
    assert monotonic() - started < 3
    assert reader.take(len(lines) - log.dropped) == lines[: len(lines) - log.dropped]
    assert os.read(reader.descriptor, 1) == b""
    assert 0 < log.dropped < len(lines)


# spec: R4
def test_a_reader_that_vanishes_and_comes_back_misses_nothing(pipe: Path) -> None:
    first = Reader(pipe)
    log = AccessLog(str(pipe), "json")
    write(log, b"one\n")
    assert first.take(1) == [b"one\n"]
    first.close()
    write(log, b"two\n", b"three\n")
    second = Reader(pipe)
    assert second.take(2) == [b"two\n", b"three\n"]
    log.close(PATIENCE)
    assert log.dropped == 0
    second.close()


# spec: R4
def test_a_pipe_without_reader_waits_for_one(pipe: Path) -> None:
    log = AccessLog(str(pipe), "json")
    write(log, b"one\n")
    reader = Reader(pipe)
    assert reader.take(1) == [b"one\n"]
    log.close(PATIENCE)
    reader.close()


# spec: R4
def test_a_pipe_that_nobody_ever_reads_does_not_hold_up_the_end(pipe: Path) -> None:
    log = AccessLog(str(pipe), "json")
    write(log, b"one\n", b"two\n")
    write(log, b"three\n")
    started = monotonic()
    log.close(0.1)
    assert monotonic() - started < 3
    assert log.dropped == 3


# spec: R4
def test_what_a_full_disk_refuses_is_counted_at_once_and_the_next_lines_are_tried(tmp_path: Path) -> None:
    full = AccessLog("/dev/full", "json")
    write(full, b"a\n", b"b\n")
    full.close(0.1)
    assert full.dropped == 2

    path = tmp_path / "access.log"
    path.symlink_to("/dev/full")
    log = AccessLog(str(path), "json")
    write(log, *LINES)
    wait_for(lambda: log.dropped == len(LINES), "the lines to be counted")
    path.unlink()
    write(log, b"after\n")
    log.close(PATIENCE)
    assert path.read_bytes() == b"after\n"
    assert log.dropped == len(LINES)


@contextmanager
def no_larger_than(size: int) -> Iterator[None]:
    """No file of this process grows beyond: a disk that is full in the middle of a write."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


# spec: R4
def test_no_half_of_a_line_stays_on_a_full_disk(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    log, other = AccessLog(str(path), "json"), AccessLog(str(path), "json")
    with no_larger_than(1000):
        write(log, *LINES)
        wait_for(lambda: log.dropped, "lines to be counted")
        kept = path.read_bytes()
    assert kept == b"".join(LINES[: kept.count(b"\n")])
    assert log.dropped == len(LINES) - kept.count(b"\n")
    write(other, b"of another worker\n")
    other.close(PATIENCE)
    write(log, b"after\n")
    log.close(PATIENCE)
    assert path.read_bytes() == kept + b"of another worker\nafter\n"


# spec: R4
def test_half_a_line_that_cannot_be_taken_back_ends_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError(1, "it may only be appended to")

    path = tmp_path / "access.log"
    log = AccessLog(str(path), "json")
    with no_larger_than(1000), monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", refuse)
        write(log, *LINES)
        wait_for(lambda: log.dropped, "lines to be counted")
    write(log, b"after\n")
    log.close(PATIENCE)
    *whole, half, after = path.read_bytes().splitlines(keepends=True)
    assert whole == LINES[: len(whole)]
    assert LINES[len(whole)].startswith(half.rstrip())
    assert after == b"after\n"
    assert log.dropped == len(LINES) - len(whole)


# spec: R4, E3
def test_a_log_that_cannot_be_written_is_told_once_and_so_is_its_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "access.log"
    path.symlink_to("/dev/full")
    log = AccessLog(str(path), "json")

    def lost(count: int) -> bool:
        log.flush()
        return log.dropped == count

    for number in range(1, 6):
        write(log, b"x\n")
        wait_for(lambda: lost(number), "the loss to be counted")  # noqa: B023
    path.unlink()
    write(log, b"after\n")
    log.close(PATIENCE)
    said = [record.getMessage() for record in caplog.records]
    means = "Lines that do not fit are dropped, and counted in lb_log_lines_dropped_total"
    assert said == [
        f"the access log {path} cannot be written: No space left on device. {means}",
        f"the access log {path} is written again; 5 lines were lost",
    ]


# spec: R4, E3
def test_a_pipe_that_nobody_reads_is_told(pipe: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = AccessLog(str(pipe), "json")

    def told() -> bool:
        log.flush()
        return any("cannot be written: it has no reader" in record.getMessage() for record in caplog.records)

    write(log, b"one\n")
    wait_for(told, "a line about it")
    reader = Reader(pipe)
    assert reader.take(1) == [b"one\n"]
    log.close(PATIENCE)
    assert caplog.records[-1].getMessage() == f"the access log {pipe} is written again; 0 lines were lost"
    reader.close()


# spec: E3
def test_a_failure_that_lasts_or_comes_back_is_not_told_again_at_once(caplog: pytest.LogCaptureFixture) -> None:
    trouble = SinkTrouble("a.log")
    for now, reason, dropped in [
        (0.0, "", 0), (1.0, "full", 3), (1.25, "full", 9), (2.0, "", 9), (2.25, "full", 12), (3.0, "", 12),
        (4.0, "full", 15), (61.0, "full", 20), (125.0, "full", 90), (130.0, "", 100),
    ]:  # fmt: skip
        trouble.look(reason, dropped, now)
    said = [record.getMessage().partition(" ")[2] for record in caplog.records]
    assert [one.partition(". Lines")[0].replace("access log a.log ", "") for one in said] == [
        "cannot be written: full",
        "is written again; 9 lines were lost",
        "cannot be written: full",
        "cannot be written: full; 78 lines were lost so far",
        "is written again; 88 lines were lost",
    ]


# spec: R4
def test_where_no_thread_can_be_had_the_next_lines_ask_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "access.log"
    log = AccessLog(str(path), "json")

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        write(log, b"a\n")
    write(log, b"b\n")
    log.close(PATIENCE)
    assert path.read_bytes() == b"a\nb\n"
    assert log.dropped == 0


# spec: R4
def test_what_is_written_in_part_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_write = os.write

    def reluctant(descriptor: int, data: bytes | memoryview) -> int:
        return real_write(descriptor, bytes(data[:7]))

    path = tmp_path / "access.log"
    log = AccessLog(str(path), "json")
    monkeypatch.setattr(os, "write", reluctant)
    write(log, *LINES)
    log.close(PATIENCE)
    assert path.read_bytes() == b"".join(LINES)


# spec: R4
def test_workers_that_share_a_pipe_do_not_mix_their_lines(pipe: Path, reader: Reader) -> None:
    logs = {name: AccessLog(str(pipe), "json") for name in (b"a", b"b", b"c")}
    sent = {name: [b"%s %d %s\n" % (name, n, name * (n % 3000)) for n in range(600)] for name in logs}
    for name, log in logs.items():
        write(log, *sent[name])
    lines = reader.take(1800)
    for log in logs.values():
        log.close(PATIENCE)
    for name, expected in sent.items():
        assert [line for line in lines if line.startswith(name)] == expected


# spec: R4
def test_a_line_longer_than_a_pipe_takes_at_once(pipe: Path, reader: Reader) -> None:
    log = AccessLog(str(pipe), "json")
    lines = [b"short\n", b"x" * 20_000 + b"\n", b"short\n"]
    write(log, *lines)
    assert reader.take(3) == lines
    log.close(PATIENCE)


def python(code: str, stdout: int | None) -> subprocess.CompletedProcess[bytes]:
    """Run code in a process of its own, with this stdout or (None) a closed one."""
    command = [sys.executable, "-c", code]
    if stdout is None:
        command = ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *command]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, timeout=60, check=False)


# spec: R4
def test_stdout() -> None:
    code = """
from lb.telemetry.access_log import AccessLog
log = AccessLog("-", "json")
for number in range(10000):
    log.append(b"line %d\\n" % number)
log.reopen()
log.close(20)
"""
    done = python(code, subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"".join(b"line %d\n" % number for number in range(10000))


# spec: R4
def test_a_closed_stdout_takes_no_lines_and_lends_its_number_to_no_log() -> None:
    code = """
import os, sys
from lb.telemetry.access_log import AccessLog
assert os.open("/dev/null", os.O_RDONLY) == 1
read, write = os.pipe()
os.dup2(write, 1)  # what a new socket would get
log = AccessLog("-", "json")
log.append(b"one\\n")
log.append(b"two\\n")
log.close(20)
os.close(write)
os.close(1)
sys.stderr.write(f"{os.read(read, 100)} {log.dropped}")
"""
    done = python(code, None)
    assert (done.returncode, done.stderr) == (0, b"b'' 2")


# spec: R4
def test_a_pipe_that_others_have_just_filled_loses_nothing(
    pipe: Path, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_write, refusals = os.write, [BlockingIOError(11, "Resource temporarily unavailable")] * 3

    def beaten(descriptor: int, data: bytes | memoryview) -> int:
        if refusals:
            raise refusals.pop()
        return real_write(descriptor, data)

    log = AccessLog(str(pipe), "json")
    monkeypatch.setattr(os, "write", beaten)
    write(log, *LINES)
    assert reader.take(len(LINES)) == LINES
    log.close(PATIENCE)
    assert log.dropped == 0


def test_very_many_lines_need_not_wait_for_the_next_tick(tmp_path: Path) -> None:
    # spec: R4
    path = tmp_path / "access.log"
    log = AccessLog(str(path), "json")
    for _ in range(999):
        log.append(b"line\n")
    log.flush_if_long()
    assert path.read_bytes() == b""
    log.append(b"line\n")
    log.flush_if_long()
    wait_for(lambda: path.read_bytes() == b"line\n" * 1000, "the lines")
    log.close(5.0)
