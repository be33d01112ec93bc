"""Opening below a directory: the kernel's way and the walk find the same, and neither leaves it."""

from __future__ import annotations

import errno
import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lb.proxy.files.beneath import Opener, open_beneath, open_by_kernel, open_walking

WAYS = [open_walking] if open_by_kernel is None else [open_walking, open_by_kernel]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    around = tmp_path_factory.mktemp("around")
    (around / "secret").write_text("no")
    files = around / "files"
    (files / "a" / "b").mkdir(parents=True)
    (files / "a" / "b" / "f").write_text("yes")
    for name, target in {
        "inner": "a/b",
        "a/up": "../a/b/f",
        "chain": "inner/f",
        "out": "../secret",
        "a/far": "../../secret",
        "dirout": "..",
        "absolute": str(around / "secret"),
        "own": str(files / "a" / "b" / "f"),
        "loop": "loop",
        "a/b/self": ".",
        "dangling": "nowhere",
    }.items():
        (files / name).symlink_to(target)
    os.mkfifo(files / "fifo")
    fd = os.open(files, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def opened(way: Opener, root: int, name: bytes) -> str:
    """What was opened, or the name of the error."""
    try:
        fd = way(root, name)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    try:
        return str(Path(f"/proc/self/fd/{fd}").readlink()).partition("/files")[2]
    finally:
        os.close(fd)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("name", "found"),
    [
        (b"a/b/f", "/a/b/f"),
        (b"a", "/a"),
        (b".", ""),
        (b"inner/f", "/a/b/f"),
        (b"a/up", "/a/b/f"),
        (b"chain", "/a/b/f"),
        (b"a/b/self/self/f", "/a/b/f"),
        (b"fifo", "/fifo"),
        (b"out", "EXDEV"),
        (b"a/far", "EXDEV"),
        (b"dirout/secret", "EXDEV"),
        (b"dirout/files/a/b/f", "EXDEV"),
        (b"absolute", "EXDEV"),
        (b"own", "EXDEV"),
        (b"../secret", "EXDEV"),
        (b"a/../../secret", "EXDEV"),
        (b"loop", "ELOOP"),
        (b"dangling", "ENOENT"),
        (b"a/b/f/g", "ENOTDIR"),
        (b"nowhere", "ENOENT"),
        (b"x" * 300, "ENAMETOOLONG"),
    ],
)
def test_links_are_followed_as_long_as_they_stay(way: Opener, root: int, name: bytes, found: str) -> None:
    # spec: P2
    assert opened(way, root, name) == found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from([b"a", b"b", b"f", b"..", b".", b"inner", b"up", b"far", b"out", b"self", b"loop", b"dirout"]),
        min_size=1,
        max_size=7,
    ).map(b"/".join)
)
def test_both_ways_find_the_same(root: int, name: bytes) -> None:
    # spec: P2
    found = {opened(way, root, name) for way in WAYS}
    assert len(found) == 1


def test_no_descriptor_is_left_open(root: int) -> None:
    gc.collect()  # what earlier tests left in circles is not this one's
    before = len(list(Path("/proc/self/fd").iterdir()))
    for way in WAYS:
        for name in (b"a/b/f", b"chain", b"out", b"loop", b"a/../../secret", b"nowhere/x", b"inner/../b/f/.."):
            opened(way, root, name)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_kernels_way_is_taken_where_there_is_one() -> None:
    assert open_beneath is (open_by_kernel or open_walking)
