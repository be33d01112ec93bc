"""Whether a file is another than it was, told without reading it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from lb.tls.files.file_stamp import is_settled, stamp_of


def test_a_file_that_is_written_or_replaced_has_another_stamp(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert stamp_of(str(path)) == ()
    path.write_text("one")
    first = stamp_of(str(path))
    assert stamp_of(str(path)) == first
    other = tmp_path / "other"
    other.write_text("two")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))  # whatever time it is given
    other.replace(path)
    assert stamp_of(str(path)) != first


def test_what_was_written_just_now_may_be_written_once_more_unseen(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("one")
    assert not is_settled(stamp_of(str(path)))
    ago = time.time_ns() - 10_000_000_000
    assert is_settled((ago, ago, 1, 3), ())
    assert not is_settled((ago, time.time_ns(), 1, 3))
    assert is_settled()
