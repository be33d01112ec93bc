"""A password file: its lines, its users, and what is wrong with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lb.passwords.apr1 import apr1
from lb.passwords.password_file import PasswordFile, bad_lines, read_password_file

A, B = apr1(b"a", b"a"), apr1(b"b", b"b")
FILE = b"\xef\xbb\xbfalice:%b\r\n\n# bob:%b\n  carol:%b:Carol, of the back office\nalice:%b\nerik:plain\n:%b" % (
    A,
    B,
    B,
    B,
    A,
)


def test_each_user_has_a_hash() -> None:
    file = PasswordFile(FILE)
    assert len(file) == 3
    hashes = {user: file.of(user) for user in (b"alice", b"bob", b"carol", b"erik", b"", b"# bob")}
    assert {user: known.text for user, known in hashes.items() if known is not None} == {b"alice": A, b"carol": B}


def test_what_is_wrong_with_a_file_is_said_by_line() -> None:
    found = {line.number: line.message for line in bad_lines(FILE)}
    assert found.keys() == {5, 6, 7}
    assert "line 1" in found[5]
    assert "has no user" in found[7]
    assert not any("plain" in message for message in found.values())


def test_an_unknown_user_is_measured_against_somebody() -> None:
    file = PasswordFile(FILE)
    known = {file.stand_in(b"user %d" % number, b"key") for number in range(50)}
    assert {one.text for one in known if one is not None} == {A, B}
    assert file.stand_in(b"zoe", b"key") == file.stand_in(b"zoe", b"key")
    assert PasswordFile(b"").stand_in(b"zoe", b"key") is None
    assert PasswordFile(b"erik:plain").stand_in(b"zoe", b"key") is None


def test_only_a_regular_file_of_some_size_is_read(tmp_path: Path) -> None:
    path = tmp_path / "htpasswd"
    path.write_bytes(FILE)
    assert read_password_file(str(path)) == FILE
    path.write_bytes(b"x" * (1 << 20) + b"x")
    with pytest.raises(OSError, match="larger than 1 MiB"):
        read_password_file(str(path))
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(OSError, match="regular file"):
            read_password_file(str(tmp_path / name))
    with pytest.raises(FileNotFoundError):
        read_password_file(str(tmp_path / "none"))
