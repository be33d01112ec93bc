"""A large object on its way to other processes: whoever has the descriptor has the object."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys

import pytest

from lb.process.memfd import new_memory, unwrap, unwrap_bytes, wrap_bytes, wrap_up


@pytest.mark.parametrize("content", [{"a": [1, 2]}, b"x" * 1_000_000, None])
def test_an_object_comes_out_as_often_as_it_is_asked_for(content: object) -> None:
    descriptor = wrap_up(content)
    try:
        assert unwrap(descriptor) == unwrap(descriptor) == content
        assert not os.get_inheritable(descriptor)
    finally:
        os.close(descriptor)


def test_bytes_are_readable_by_another_process() -> None:
    descriptor = wrap_bytes(b"said before")
    try:
        assert unwrap_bytes(descriptor) == b"said before"
        code = f"import mmap; print(mmap.mmap({descriptor}, 0, access=mmap.ACCESS_READ)[:].decode())"
        told = subprocess.run([sys.executable, "-c", code], pass_fds=[descriptor], capture_output=True, check=True)
        assert told.stdout.strip() == b"said before"
    finally:
        os.close(descriptor)


def test_memory_is_empty_and_can_be_shared() -> None:
    descriptor = new_memory()
    try:
        assert os.fstat(descriptor).st_size == 0
        os.ftruncate(descriptor, 8)
        with mmap.mmap(descriptor, 8) as one, mmap.mmap(descriptor, 8) as other:
            one[0] = 7
            assert other[0] == 7
    finally:
        os.close(descriptor)
