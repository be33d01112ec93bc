"""One open file: what is kept in memory, what is read where, and which error is nobody's business."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from lb.proxy.files.open_file import KEPT, NotAFileError, OpenFile, must_exist

_NOW = 1_700_000_000_000_000_000
_LONG_AGO = 1_600_000_000


def _opened(path: Path, data: bytes, before: OpenFile | None = None) -> OpenFile:
    path.write_bytes(data)
    os.utime(path, (_LONG_AGO, _LONG_AGO))
    return OpenFile(os.open(path, os.O_RDONLY), _NOW, before)


def test_a_small_file_is_kept_and_needs_no_descriptor(tmp_path: Path) -> None:
    file = _opened(tmp_path / "a", b"hello")
    assert (file.data, file.fd, file.size, file.dated) == (b"hello", -1, 5, _LONG_AGO)
    assert file.read(1, 3) == b"ell"
    assert file.read(4, 10) == b"o"


def test_a_large_file_is_read_from_its_descriptor_which_ends_with_it(tmp_path: Path) -> None:
    file = _opened(tmp_path / "a", b"x" * KEPT + b"end")
    assert (file.data, file.size) == (None, KEPT + 3)
    assert file.read(KEPT, 10) == b"end"
    descriptor = file.fd
    os.fstat(descriptor)
    del file
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_what_has_not_changed_is_not_read_again(tmp_path: Path) -> None:
    first = _opened(tmp_path / "a", b"hello")
    same = OpenFile(os.open(tmp_path / "a", os.O_RDONLY), _NOW, first)
    changed = _opened(tmp_path / "a", b"other", first)
    assert changed.data == b"other"
    assert same.size == first.size


def test_it_is_never_dated_later_than_it_was_opened(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"")
    os.utime(path, (4_000_000_000, 4_000_000_000))
    assert OpenFile(os.open(path, os.O_RDONLY), _NOW).dated == _NOW // 1_000_000_000


def test_a_directory_is_none(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(NotAFileError) as error:
        OpenFile(descriptor, _NOW)
    assert error.value.is_directory


@pytest.mark.parametrize(
    ("number", "exists"), [(errno.ENOENT, False), (errno.ELOOP, False), (errno.EACCES, True), (errno.EIO, True)]
)
def test_which_errors_say_that_there_is_a_file(number: int, exists: bool) -> None:
    assert must_exist(number) is exists
