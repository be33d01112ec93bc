"""Uploads: what is packed comes out the same, and an archive that leads out is refused before a byte is written."""

from __future__ import annotations

import io
import os
import random
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lb.apps.build.archive import ArchiveBounds, ArchiveError, pack, unpack
from lb.apps.project.ignore import IgnoreRules, read_ignore

Entry = tuple[str, bytes, bytes | str, int]


def member(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644, size: int = 3
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    info.size = size if kind == tarfile.REGTYPE else 0
    return info


def tar(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as made:
        for info in members:
            made.addfile(info, io.BytesIO(b"x" * info.size) if info.isreg() else None)
    return path


def zipped(path: Path, *entries: tuple[str, int, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, mode, content in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(info, content)
    return path


SYM, HARD = tarfile.SYMTYPE, tarfile.LNKTYPE
REFUSED: dict[str, tuple[list[tarfile.TarInfo], str]] = {
    "a path that leads up": ([member("ok"), member("../evil")], "leads out of the archive"),
    "a link to an absolute path": ([member("ok"), member("l", SYM, "/etc/passwd")], "leads out of the archive"),
    "a link that leads up": ([member("ok"), member("a/l", SYM, "../../evil")], "leads out of the archive"),
    "links that lead out in two steps": (
        [member("ok"), member("x", SYM, "a"), member("a/b/d", SYM, "../../x"), member("m", SYM, "a/b/d/../..")],
        "leads out of the archive",
    ),
    "a file written through a link": ([member("ok"), member("l", SYM, "."), member("l/evil")], "stands below a link"),
    "a link that comes after the file below it": (
        [member("ok"), member("l/evil"), member("l", SYM, ".")],
        "stands below a link",
    ),
    "a hard link out": ([member("ok"), member("h", HARD, "../../etc/passwd")], "leads out of the archive"),
    "a hard link to what is not there": ([member("ok"), member("h", HARD, "etc/passwd")], "leads to no file"),
    "a hard link to a link": ([member("ok"), member("l", SYM, "ok"), member("h", HARD, "l")], "leads to no file"),
    "a device": ([member("ok"), member("d", tarfile.CHRTYPE)], "is a device or a pipe"),
    "a pipe": ([member("ok"), member("p", tarfile.FIFOTYPE)], "is a device or a pipe"),
    "a link in a circle": ([member("a", SYM, "b"), member("b", SYM, "a")], "leads out of the archive"),
    "one path twice": ([member("a"), member("a", SYM, "b")], "as a file and as a link"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_tars_that_are_refused(tmp_path: Path, case: str) -> None:
    members, words = REFUSED[case]
    with pytest.raises(ArchiveError, match=words):
        unpack(tar(tmp_path / "a.tar.gz", *members), tmp_path / "into")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]


def test_absolute_paths_are_taken_from_the_top(tmp_path: Path) -> None:
    unpack(tar(tmp_path / "a.tgz", member("/abs/x")), tmp_path / "into")
    assert (tmp_path / "into" / "abs" / "x").read_bytes() == b"xxx"


def test_setuid_and_writing_for_others_are_taken_away(tmp_path: Path) -> None:
    unpack(tar(tmp_path / "a.tgz", member("x", mode=0o6777), member("y", mode=0o000)), tmp_path / "into")
    assert stat.S_IMODE((tmp_path / "into" / "x").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "into" / "y").stat().st_mode) == 0o600


def test_links_inside_stay_links(tmp_path: Path) -> None:
    made = tar(
        tmp_path / "a.tgz",
        member("d/x"),
        member("l", SYM, "d/x"),
        member("d/up", SYM, "../l"),
        member("h", HARD, "d/x"),
    )
    unpack(made, tmp_path / "into")
    assert (tmp_path / "into" / "l").readlink() == Path("d/x")
    assert (tmp_path / "into" / "d" / "up").read_bytes() == b"xxx"
    assert (tmp_path / "into" / "h").read_bytes() == b"xxx"


def test_a_zip_keeps_the_x_bit_and_its_links(tmp_path: Path) -> None:
    made = zipped(
        tmp_path / "a.zip",
        ("run.sh", stat.S_IFREG | 0o755, b"#!/bin/sh"),
        ("l", stat.S_IFLNK | 0o777, b"run.sh"),
        ("plain", 0, b"x"),
        ("d/", stat.S_IFDIR | 0o755, b""),
    )
    unpack(made, tmp_path / "into")
    assert stat.S_IMODE((tmp_path / "into" / "run.sh").stat().st_mode) == 0o755
    assert (tmp_path / "into" / "l").readlink() == Path("run.sh")
    assert (tmp_path / "into" / "plain").read_bytes() == b"x"
    assert (tmp_path / "into" / "d").is_dir()


@pytest.mark.parametrize(
    ("name", "mode", "content"), [("../evil", 0o100644, b""), ("l", stat.S_IFLNK, b"../../etc"), ("a/../../e", 0, b"")]
)
def test_zips_that_are_refused(tmp_path: Path, name: str, mode: int, content: bytes) -> None:
    with pytest.raises(ArchiveError, match="leads out of the archive"):
        unpack(zipped(tmp_path / "a.zip", ("ok", 0, b""), (name, mode, content)), tmp_path / "into")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def large_tar(path: Path) -> Path:
    return tar(path, *(member(f"f{n}", size=1 << 20) for n in range(20)))


def large_zip(path: Path) -> Path:
    return zipped(path, *((f"f{n}", 0, b"\0" * (1 << 20)) for n in range(20)))


def lying_zip(path: Path) -> Path:
    """One whose list says that a file is small."""
    data = zipped(path, ("bomb", 0, b"\0" * (20 << 20))).read_bytes()
    path.write_bytes(data.replace((20 << 20).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    return path


@pytest.mark.parametrize("make", [large_tar, large_zip, lying_zip])
def test_the_size_is_bounded(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    archive = make(tmp_path / "bomb")
    assert archive.stat().st_size < 1 << 16
    with pytest.raises(ArchiveError):
        unpack(archive, tmp_path / "into", ArchiveBounds(size=10 << 20))
    assert [path.name for path in tmp_path.iterdir()] == ["bomb"]


def test_the_number_of_entries_is_bounded(tmp_path: Path) -> None:
    archive = tar(tmp_path / "a.tgz", *(member(f"f{n}") for n in range(6)))
    with pytest.raises(ArchiveError, match="more than 5 entries"):
        unpack(archive, tmp_path / "into", ArchiveBounds(entries=5))


@pytest.mark.parametrize("data", [b"", b"no archive", b"\x1f\x8b\x08\x00broken", b"PK\x03\x04"])
def test_what_is_no_archive(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(ArchiveError):
        unpack(tmp_path / "a", tmp_path / "into")
    assert not (tmp_path / "into").exists()


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.9])
def test_an_upload_that_was_cut_off(tmp_path: Path, cut: float) -> None:
    noise = random.Random(1).randbytes(200_000)
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as made:
        info = member("x", size=len(noise))
        made.addfile(info, io.BytesIO(noise))
        made.addfile(member("y"), io.BytesIO(b"xxx"))
    data = (tmp_path / "a.tgz").read_bytes()
    (tmp_path / "a.tgz").write_bytes(data[: int(len(data) * cut)])
    with pytest.raises(ArchiveError):
        unpack(tmp_path / "a.tgz", tmp_path / "into")
    assert not (tmp_path / "into").exists()


def test_what_is_packed_comes_out_the_same(tmp_path: Path) -> None:
    root = tmp_path / "project"
    for name in ("app.py", "pkg/x.py", "pkg/ü — x.txt", "venv/x", "x.pyc", "empty/.keep"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "app.py").chmod(0o755)
    (root / "link").symlink_to("pkg/x.py")
    (root / "void").mkdir()
    with (tmp_path / "up.tgz").open("wb") as file:
        size = pack(root, file, read_ignore(root))
    assert unpack(tmp_path / "up.tgz", tmp_path / "into") == size
    found = sorted(str(path.relative_to(tmp_path / "into")) for path in (tmp_path / "into").rglob("*"))
    assert found == ["app.py", "empty", "empty/.keep", "link", "pkg", "pkg/x.py", "pkg/ü — x.txt", "void"]
    assert (tmp_path / "into" / "app.py").stat().st_mode & 0o100
    assert (tmp_path / "into" / "pkg" / "ü — x.txt").read_text() == "pkg/ü — x.txt"


def test_sockets_and_pipes_are_no_part_of_a_project(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a").write_text("a")
    made = io.BytesIO()
    assert pack(tmp_path, made, IgnoreRules(())) == 1
