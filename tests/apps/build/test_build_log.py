"""The log of a build: any bytes in any pieces give the same lines, and secrets are in none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lb.apps.build.build_log import BuildLog
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
