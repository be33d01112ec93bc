"""A password file is read again when it has changed, and lets nobody in when it cannot be read."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from lb.errors import ProxyError
from lb.proxy.guards.password_files import PasswordFiles

LONG_AGO = time.time_ns() - 10**12


def write(path: Path, text: bytes) -> None:
    """A file that was written long ago, as far as its name's times tell."""
    path.write_bytes(text)
    os.utime(path, ns=(LONG_AGO, LONG_AGO))


def test_a_file_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "htpasswd"
    files = PasswordFiles()
    write(path, b"a:b\n")
    assert len(files.find(str(path), 0.0)) == 1
    write(path, b"a:b\nc:d\n")  # the same times, another size
    assert len(files.find(str(path), 0.0)) == 2
    write(path, b"c:d\na:b\n")  # the same times and size, but just now
    assert files.find(str(path), 0.0)._order == (b"c", b"a")


def test_a_file_that_stays_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "htpasswd"
    path.write_bytes(b"a:b\n")
    monkeypatch.setattr(time, "time_ns", lambda: LONG_AGO + 10**13)  # as if much later
    files = PasswordFiles()
    first = files.find(str(path), 0.0)
    assert files.find(str(path), 1.0) is first


def test_without_its_file_nobody_gets_in(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "htpasswd"
    files = PasswordFiles()
    path.write_bytes(b"a:b\n")
    files.find(str(path), 0.0)
    path.unlink()
    for now in (0.0, 10.0, 59.0):
        with pytest.raises(ProxyError) as error:
            files.find(str(path), now)
        assert error.value.cause.code == "password_file_not_readable"
        assert str(tmp_path) not in error.value.detail
    assert len(caplog.records) == 1
    assert "Nobody gets in" in caplog.text
    path.mkdir()
    with pytest.raises(ProxyError):
        files.find(str(path), 60.0)
    assert len(caplog.records) == 2
    path.rmdir()
    path.write_bytes(b"a:b\n")
    assert len(files.find(str(path), 61.0)) == 1
