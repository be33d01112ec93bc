from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lb.tls.files.http01 import Challenges

TOKEN = b"evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr_oA"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_bytes(b"secret")
    challenges = tmp_path / "challenges"
    challenges.mkdir()
    (challenges / TOKEN.decode()).write_bytes(TOKEN + b".thumbprint\n")
    (challenges / "dotted.txt").write_bytes(b"dotted")
    return challenges


# spec: T6
def test_a_known_token_gets_its_key_authorization(directory: Path) -> None:
    assert Challenges(directory).answer(TOKEN) == TOKEN + b".thumbprint"


# spec: T6
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n"])
def test_newlines_at_the_end_are_left_out(directory: Path, end: bytes) -> None:
    (directory / "token").write_bytes(b"a\nb " + end)
    assert Challenges(directory).answer(b"token") == b"a\nb "


# spec: T6; attacks: 36
@pytest.mark.parametrize(
    "token",
    [
        b"",
        b"unknown",
        b"..",
        b".",
        b"../secret",
        b"..%2fsecret",
        b"dotted.txt",
        b"/etc/passwd",
        TOKEN + b"\0",
        TOKEN + b"\n",
        TOKEN + b"/",
        b"./" + TOKEN,
        TOKEN.lower(),
        b"a" * 256,
        b"a" * 257,
        "é".encode(),
    ],
)
def test_any_other_token_gets_none(directory: Path, token: bytes) -> None:
    assert Challenges(directory).answer(token) is None


# spec: T6; attacks: 36
def test_only_a_regular_file_in_the_directory_is_read(directory: Path) -> None:
    (directory / "link").symlink_to(directory.parent / "secret")
    (directory / "folder").mkdir()
    os.mkfifo(directory / "pipe")
    (directory / "empty").touch()
    challenges = Challenges(directory)
    for token in (b"link", b"folder", b"pipe", b"empty"):
        assert challenges.answer(token) is None


# spec: T6
def test_an_answer_is_bounded(directory: Path) -> None:
    challenges = Challenges(directory)
    (directory / "long").write_bytes(b"x" * 8192)
    assert challenges.answer(b"long") == b"x" * 8192
    (directory / "long").write_bytes(b"x" * 8193)
    assert challenges.answer(b"long") is None


# spec: T6
def test_tokens_come_and_go(tmp_path: Path) -> None:
    directory = tmp_path / "later"
    challenges = Challenges(directory)
    assert challenges.answer(b"token") is None
    directory.mkdir()
    (directory / "token").write_bytes(b"answer")
    assert challenges.answer(b"token") == b"answer"
    (directory / "token").unlink()
    assert challenges.answer(b"token") is None


# spec: T6
def test_no_directory_has_no_answers() -> None:
    assert Challenges(None).answer(TOKEN) is None


# spec: T6; attacks: 36
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(token=st.binary() | st.text(alphabet="./\\%2ef\0").map(str.encode))
def test_no_token_is_too_strange(directory: Path, token: bytes) -> None:
    assert Challenges(directory).answer(token) is None
