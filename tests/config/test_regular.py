"""Files that people name: what is no regular file is refused at once, and nobody waits for it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from lb.config.load import load_file
from lb.config.model import CertificateFiles
from lb.config.problems import ConfigErrors
from lb.config.regular import read_regular, read_soon
from lb.tls.acme.certificate_info import HeldFiles
from lb.tls.acme.store import Store
from lb.tls.files.certificate import TlsError, content_digest, load_certificate
from lb.tls.files.client_ca import load_authority


@pytest.fixture(params=["pipe", "device", "socket", "directory"])
def odd(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is no regular file: nobody ever writes to the pipe."""
    path = tmp_path / "odd"
    kind = request.param
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "directory":
        path.mkdir()
    else:
        monkeypatch.chdir(tmp_path)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind("odd")
    return path


def test_reading_refuses_it(odd: Path) -> None:
    with pytest.raises(OSError, match=r"not a regular file|directory|No such device"):
        read_regular(odd)


@pytest.mark.long
def test_a_configuration_is_refused(odd: Path) -> None:  # spec: R1
    with pytest.raises(ConfigErrors):
        load_file(odd, {})


def test_a_pipe_is_read_that_ends_soon(tmp_path: Path) -> None:
    # spec: R1
    reading, writing = os.pipe()
    text = b"listen: {http: 127.0.0.1:0}\napps: {shop: {domains: [a.example], production: {instances: 127.0.0.1:1}}}\n"
    os.write(writing, text)
    os.close(writing)
    try:
        assert load_file(Path(f"/dev/fd/{reading}"), {}).config.apps.keys() == {"shop"}
    finally:
        os.close(reading)


def test_nobody_waits_long_for_the_end_of_a_pipe() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"apps:")
    try:
        with pytest.raises(TimeoutError, match="did not end in time"):
            read_soon(f"/dev/fd/{reading}", 1000, timeout=0.05)
        assert os.write(writing, b"x") == 1
        assert read_soon(f"/dev/fd/{reading}", 1, timeout=0.05) == b"x"
    finally:
        os.close(reading)
        os.close(writing)


def test_certificates_and_keys_are_refused(odd: Path, tmp_path: Path) -> None:  # spec: T5
    good = tmp_path / "good"
    good.write_text("x")
    for files in (CertificateFiles(cert=odd, key=good), CertificateFiles(cert=good, key=odd)):
        with pytest.raises(TlsError):
            load_certificate(files)
        assert content_digest(files) is None
    with pytest.raises(TlsError):
        load_authority(odd)
    assert HeldFiles().read(str(odd)) is None


def test_a_store_has_no_such_certificate(odd: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.prepare()
    odd.rename(store.certificate_path("a.example"))
    with pytest.raises(OSError, match=r"not a regular file|directory|No such device"):
        store.certificate("a.example")


def test_a_link_to_a_regular_file_is_one(tmp_path: Path) -> None:
    """As Kubernetes mounts secrets."""
    (tmp_path / "real").write_bytes(b"12345")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert read_regular(tmp_path / "link") == b"12345"
    assert read_regular(tmp_path / "link", 3) == b"123"
