"""A project's files as text: regular ones inside of it, of a bounded size."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lb.apps.project.errors import ProjectError
from lb.apps.project.text import as_text, read_bytes, read_text


@pytest.mark.parametrize("data", [b"\xef\xbb\xbfhi", "hi".encode("utf-16"), b"hi"])
def test_a_byte_order_mark_is_no_part_of_the_text(data: bytes) -> None:
    assert as_text(data, "x") == "hi"


def test_what_is_not_text_is_refused_with_its_line() -> None:
    with pytest.raises(ProjectError, match="line 2 is not UTF-8 text"):
        as_text(b"a\n\xff\n", "x")


def test_a_file_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert read_text(tmp_path, "requirements.txt") is None


def test_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (tmp_path / "secret").write_text("x", encoding="utf-8")
    (root / "out").symlink_to("../secret")
    (root / "inner").symlink_to("file")
    (root / "file").write_text("y", encoding="utf-8")
    assert read_text(root, "inner") == "y"
    with pytest.raises(ProjectError, match="this link leads out of the project"):
        read_text(root, "out")


def test_a_pipe_and_a_large_file_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"x" * ((1 << 20) + 1))
    with pytest.raises(ProjectError, match="this file cannot be read"):
        read_bytes(tmp_path, "pipe")
    with pytest.raises(ProjectError, match="this file is larger than 1 MiB"):
        read_bytes(tmp_path, "large", 1 << 20)
