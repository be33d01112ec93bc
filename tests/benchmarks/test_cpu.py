"""CPU time and memory of a process tree are read from /proc, forked children included."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.cpu import cpu_seconds, memory_bytes, parse_pss, parse_stat, tree

# Forks; parent and child each burn CPU and take memory, say so, and wait for the end of their input.
_FAMILY = """
import os, sys, time
child = os.fork()
end = time.process_time() + 0.3
while time.process_time() < end: pass
block = bytearray(os.urandom(8_000_000))
os.write(1, b"x")
sys.stdin.read()
if child: os.wait()
"""


@contextmanager
def _family() -> Iterator[int]:
    command = [sys.executable, "-c", _FAMILY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.read(2) == b"xx"
        yield parent.pid


def test_stat_line_with_a_name_that_looks_like_fields() -> None:
    numbers = " ".join(str(number) for number in range(5, 53))
    stat = parse_stat(f"17 (a b) S 9 (c) R 4 {numbers}")
    assert (stat.pid, stat.parent) == (17, 4)
    assert (stat.ticks, stat.reaped) == (14 + 15, 16 + 17)


def test_pss_is_in_bytes() -> None:
    assert parse_pss("55d0-7ffe ---p 0 0:0 0 [rollup]\nRss:  900 kB\nPss:     512 kB\nPss_Anon: 3 kB\n") == 512 * 1024
    with pytest.raises(ValueError, match="Pss"):
        parse_pss("Rss: 1 kB\n")


def test_a_tree_is_the_process_and_its_forked_child() -> None:
    with _family() as pid:
        assert [stat.parent == pid for stat in tree(pid)] == [False, True]
        # Each burned 0.3 s and holds 8 MB that nothing shares.
        assert 0.6 <= cpu_seconds(pid) < 2
        assert memory_bytes(pid) >= 16_000_000


def test_a_process_that_is_gone_is_an_error() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    with pytest.raises(ProcessLookupError):
        tree(child.pid)
