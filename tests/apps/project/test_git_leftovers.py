"""What git leaves out of an archive is said."""

from __future__ import annotations

from pathlib import Path

from lb.apps.project.git_leftovers import find_leftovers

MODULES = '[submodule "a"]\n\tpath = vendor/a\n\turl = https://git.example/a\n[submodule "b"]\n\tpath = vendor/b\n'


def test_an_empty_submodule(tmp_path: Path) -> None:
    (tmp_path / ".gitmodules").write_text(MODULES)
    (tmp_path / "vendor" / "a").mkdir(parents=True)
    (tmp_path / "vendor" / "b").mkdir()
    (tmp_path / "vendor" / "b" / "x").write_text("")
    (note,) = find_leftovers(tmp_path)
    assert note.startswith("vendor/a is empty: git leaves the content of submodules out")


def test_a_pointer_of_lfs(tmp_path: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n"
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "model.bin").write_text(pointer)
    assert list(find_leftovers(tmp_path)) == []
    (tmp_path / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (note,) = find_leftovers(tmp_path)
    assert note.startswith("data/model.bin is a pointer of Git LFS")
    (tmp_path / "data" / "model.bin").write_bytes(bytes(5000))
    assert list(find_leftovers(tmp_path)) == []


def test_most_projects_have_neither(tmp_path: Path) -> None:
    (tmp_path / ".gitmodules").write_bytes(b"\xff")
    (tmp_path / ".gitattributes").write_bytes(b"\xff")
    assert list(find_leftovers(tmp_path)) == []
