from __future__ import annotations

import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lb.tls.files.certificate import load_certificate
from lb.tls.files.self_signed import ensure_certificate
from lb.tls.handshake.contexts import Contexts
from tests.tls.certificate_files import self_signed
from tests.tls.handshakes import client_context, shake

NAMES = ["localhost", "demo.localhost", "*.apps.localhost"]


def test_it_is_made_for_the_names_and_the_loopback(tmp_path: Path) -> None:
    files = ensure_certificate(tmp_path / "certs", NAMES)
    certificate = load_certificate(files)
    assert certificate.names == {*NAMES, "127.0.0.1", "::1"}
    assert certificate.warnings(datetime.now(UTC)) == ()
    assert timedelta(days=300) < certificate.not_after - datetime.now(UTC) < timedelta(days=398)


def test_a_client_that_trusts_the_file_is_content(tmp_path: Path) -> None:
    files = ensure_certificate(tmp_path, NAMES)
    context = client_context()
    context.verify_mode, context.check_hostname = context.verify_mode.CERT_REQUIRED, True
    context.load_verify_locations(files.cert)
    for name in ("localhost", "demo.localhost", "x.apps.localhost", "127.0.0.1", "::1"):
        shake(Contexts([files]), context, name)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_the_owner_reads_the_key(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        files = ensure_certificate(tmp_path, NAMES)
    finally:
        os.umask(before)
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600


def test_it_is_kept_while_it_fits(tmp_path: Path) -> None:
    files = ensure_certificate(tmp_path, NAMES)
    before = files.cert.read_bytes(), files.key.read_bytes()
    assert ensure_certificate(tmp_path, list(reversed(NAMES))) == files
    assert (files.cert.read_bytes(), files.key.read_bytes()) == before


def _forget_the_key(directory: Path) -> None:
    (directory / "localhost.key").unlink()


def _cut_the_certificate(directory: Path) -> None:
    (directory / "localhost.pem").write_bytes(b"-----BEGIN CERT")


def _expire(directory: Path) -> None:
    old = self_signed(directory, [*NAMES, "127.0.0.1", "::1"], not_after=datetime.now(UTC) + timedelta(hours=1))
    old.cert.rename(directory / "localhost.pem")
    old.key.rename(directory / "localhost.key")


def _swap_the_key(directory: Path) -> None:
    other = self_signed(directory, NAMES)
    other.key.rename(directory / "localhost.key")
    other.cert.unlink()


def _die_while_writing(directory: Path) -> None:
    (directory / "localhost.key").rename(directory / ".localhost.key.new")


@pytest.mark.parametrize("spoil", [_die_while_writing, _forget_the_key, _cut_the_certificate, _expire, _swap_the_key])
def test_it_is_made_anew_when_it_does_not_fit(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    files = ensure_certificate(tmp_path, NAMES)
    spoil(tmp_path)
    spoiled = files.cert.read_bytes()
    assert ensure_certificate(tmp_path, NAMES) == files
    assert files.cert.read_bytes() != spoiled
    assert load_certificate(files).not_after - datetime.now(UTC) > timedelta(days=300)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "localhost.key", "localhost.pem"]


def test_other_names_need_another_certificate(tmp_path: Path) -> None:
    before = load_certificate(ensure_certificate(tmp_path, NAMES))
    after = load_certificate(ensure_certificate(tmp_path, [*NAMES, "new.localhost"]))
    assert after.names - before.names == {"new.localhost"}


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        ensure_certificate(tmp_path / "file", NAMES)
