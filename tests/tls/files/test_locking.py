"""Locks of a directory: only its owner takes them, and no wait is endless."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from lb.tls.files.local_ca import LocalCa
from lb.tls.files.locking import NAME, locked, shared
from lb.tls.files.self_signed import ensure_certificate


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Another process has locked this file or directory."""
    descriptor = os.open(path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


def test_the_lock_is_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(TimeoutError), shared(tmp_path, timeout=0):
        raise AssertionError("two have it")
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    with shared(tmp_path, timeout=0), shared(tmp_path, timeout=0):
        pass


def test_whoever_locks_the_directory_itself_holds_nobody_up(tmp_path: Path) -> None:
    with held(tmp_path), locked(tmp_path, timeout=0):
        pass


def test_waiting_for_a_lock_ends_with_words(tmp_path: Path) -> None:
    with locked(tmp_path):
        pass
    with held(tmp_path / NAME):
        began = monotonic()
        kept = pytest.raises(TimeoutError, match="another process has kept the lock for longer than 0 s")
        with kept, locked(tmp_path, timeout=0.1):
            raise AssertionError("two have it")
        assert 0.1 <= monotonic() - began < 2


def test_asking_for_a_share_makes_nothing(tmp_path: Path) -> None:
    with shared(tmp_path):
        assert list(tmp_path.iterdir()) == []


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").touch()
    (tmp_path / NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"), locked(tmp_path):
        raise AssertionError("it was followed")


@pytest.mark.parametrize("kind", ["authority", "certificate"])
def test_the_local_authority_waits_for_nobody_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    directory = tmp_path / "store" / "local"

    def make() -> None:
        if kind == "authority":
            LocalCa(tmp_path / "store").certificate(("localhost",))
        else:
            ensure_certificate(directory, ())

    make()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    if kind == "authority":
        assert stat.S_IMODE(directory.parent.stat().st_mode) == 0o700
    with held(directory):  # which any user could, were it not for its mode
        make()
    monkeypatch.setattr(locked.__wrapped__, "__kwdefaults__", {"timeout": 0.1})  # type: ignore[attr-defined]
    with held(directory / NAME), pytest.raises(TimeoutError):
        make()
