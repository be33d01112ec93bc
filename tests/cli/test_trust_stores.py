"""Lists of authorities: the system's, as files and a command (the others are in `test_trust`)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import trustme

from lb.cli.trust_stores import NssStore, RootCertificate, StoreError, SystemStore


@pytest.fixture
def root(tmp_path: Path) -> RootCertificate:
    path = tmp_path / "root.pem"
    path.write_bytes(trustme.CA().cert_pem.bytes())
    return RootCertificate(path)


def noting(tmp_path: Path, word: str) -> tuple[str, ...]:
    """A command that writes down that it ran."""
    return (sys.executable, "-c", f"open({str(tmp_path / 'ran')!r}, 'a').write({word!r})")


@pytest.fixture
def store(tmp_path: Path) -> SystemStore:
    directory = tmp_path / "anchors"
    directory.mkdir()
    return SystemStore(directory, "crt", noting(tmp_path, "add "), noting(tmp_path, "all "))


def test_what_is_taken_away_is_what_was_put_there(store: SystemStore, root: RootCertificate, tmp_path: Path) -> None:
    # spec: T1
    other = store.directory / "other.crt"
    other.touch()
    assert store.trust(root)
    assert not store.trust(root)
    (found,) = [path for path in store.directory.iterdir() if path != other]
    assert root.fingerprint in found.name
    assert found.read_bytes() == root.path.read_bytes()
    assert store.untrust(root)
    assert not store.untrust(root)
    assert list(store.directory.iterdir()) == [other]
    assert (tmp_path / "ran").read_text() == "add all "


def test_a_fingerprint_is_of_the_certificate_and_not_of_the_file(root: RootCertificate, tmp_path: Path) -> None:
    copy = tmp_path / "copy.pem"
    copy.write_text("# a remark\n" + root.path.read_text())
    assert len(root.fingerprint) == 16
    another = tmp_path / "another.pem"
    another.write_bytes(trustme.CA().cert_pem.bytes())
    assert RootCertificate(another).fingerprint != root.fingerprint


def test_a_directory_that_may_not_be_written(root: RootCertificate, tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        SystemStore(tmp_path / "no", "crt", (), ()).trust(root)


def test_a_command_that_is_missing_is_named(
    root: RootCertificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StoreError, match="certutil is missing"):
        NssStore(tmp_path).trust(root)
