"""The log of a build: any bytes in any pieces give the same lines, and secrets are in none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lb.apps.build.build_log import BuildLog
from lb.apps.build.failure import next_step_after
from lb.apps.build.masking import Masker


def lines(folder: Path, pieces: list[bytes], *secrets: str) -> list[str]:
    told: list[str] = []
    log = BuildLog(folder / "log", Masker(secrets), told.append, verbose=True)
    log.begin()
    for piece in pieces:
        log.feed(piece)
    log.finish()
    log.close()
    assert list(log.tail()) == [line.removeprefix("       ") for line in told][-50:]
    return [line.removeprefix("       ") for line in told]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=20), max_size=8))
def test_pieces_do_not_matter(tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("log")
    assert lines(folder, pieces) == lines(folder, [b"".join(pieces)])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a\nb\n", ["a", "b"]),
        (b"a\r\nb", ["a", "b"]),
        (b"10%\r50%\r100%\n", ["100%"]),
        (b"\xff\xfe", ["\N{REPLACEMENT CHARACTER}" * 2]),
        (b"\x1b[31mred", ["\N{REPLACEMENT CHARACTER}[31mred"]),
        ("ü".encode(), ["ü"]),
        (b"\n\n", ["", ""]),
        (b"x" * 5000 + b"\ny\n", ["x" * 4096, "y"]),
        (b"x" * 200_000 + b"\ny", ["x" * 4096, "y"]),
    ],
)
def test_lines(tmp_path: Path, data: bytes, expected: list[str]) -> None:
    assert lines(tmp_path, [data]) == expected


def test_quiet_is_the_headlines_alone(tmp_path: Path) -> None:
    told: list[str] = []
    log = BuildLog(tmp_path / "log", Masker(()), told.append, verbose=False)
    log.headline("Installing")
    log.feed(b"noise\n")
    log.note("gunicorn is added")
    assert told == ["-----> Installing", "       gunicorn is added"]
    assert (tmp_path / "log").read_text() == "-----> Installing\n       noise\n       gunicorn is added\n"
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_the_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lb.apps.build.build_log._LARGEST", 200)
    lines(tmp_path, [b"0123456789\n" * 100])
    assert (tmp_path / "log").stat().st_size < 250
    assert (tmp_path / "log").read_text().endswith("further output is not kept\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("token=abcdefgh1 end", "token=**** end"),
        ("abcdefgh12 is longer", "**** is longer"),
        ("short: abc", "short: abc"),
        ("git+https://u:p%40ss@git.example/x", "git+https://****@git.example/x"),
        ("https://token@host/x", "https://****@host/x"),
        ("ssh://git@git.example/x", "ssh://git@git.example/x"),
        ("https://index.example/simple?x=a@b", "https://index.example/simple?x=a@b"),
        ("postgres://u:pa/ss@db/x", "postgres://****@db/x"),
        ("first line of key", "**** of key"),
    ],
)
def test_masking(text: str, expected: str) -> None:
    masker = Masker(["abcdefgh1", "abcdefgh12", "abc", "first line\nab", ""])
    assert masker.mask(text) == expected


@pytest.mark.parametrize(
    ("line", "next_step"),
    [
        ("ERROR: No matching distribution found for flusk==1 (from -r x)", "check the name and version of flusk==1,"),
        ("ERROR: Cannot find command 'git' - do you have 'git' installed", "install git on this machine"),
        ("error: command 'gcc' failed: No such file or directory", "install a compiler"),
        ("error: command 'x86_64-linux-gnu-gcc' failed: No such file or directory", "install a compiler"),
        ("x.c:1: fatal error: ffi.h: No such file or directory", "install the package that brings ffi.h"),
        ("x.c:1: fatal error: Python.h: No such file or directory", "install Python's headers"),
        ("KeyError: 'SECRET_KEY'", "a build sees no variables"),
        ("OSError: [Errno 28] No space left on device", "free space"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "a package differs"),
        ("Temporary failure in name resolution", "the package index cannot be reached"),
        ("nothing that is known", ""),
    ],
)
def test_what_to_do_next(line: str, next_step: str) -> None:
    assert next_step_after(("before", line, "after")).startswith(next_step)
    assert bool(next_step) == bool(next_step_after((line,)))
