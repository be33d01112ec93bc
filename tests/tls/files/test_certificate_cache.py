from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from lb.config.model import CertificateFiles
from lb.tls.files.certificate import Certificate, TlsError, TlsProblem, load_certificate
from lb.tls.files.certificate_cache import CertificateCache
from tests.tls.certificate_files import issue


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(ca: trustme.CA, tmp_path: Path) -> CertificateFiles:
    return issue(ca, tmp_path, "a.example")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read."""
    paths: list[Path] = []

    def counting(files: CertificateFiles, known: Certificate | None = None) -> Certificate:
        paths.append(files.cert)
        return load_certificate(files, known)

    monkeypatch.setattr("lb.tls.files.certificate_cache.load_certificate", counting)
    return paths


def read(shelf: CertificateCache, files: CertificateFiles) -> Certificate:
    return shelf.read(str(files.cert), str(files.key))


def pass_time(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = time.time_ns()
    monkeypatch.setattr("lb.tls.files.file_stamp.time.time_ns", lambda: now + int(seconds * 1e9))


# spec: T5
def test_a_file_that_is_the_same_is_not_read_again(
    files: CertificateFiles, reads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = CertificateCache()
    pass_time(monkeypatch, 10)
    found = read(shelf, files)
    assert all(read(shelf, files) is found for _ in range(3))
    assert reads == [files.cert]


# spec: T5
def test_one_that_was_written_just_before_may_be_written_again_at_the_same_time(
    files: CertificateFiles, reads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = CertificateCache()
    found = read(shelf, files)
    assert read(shelf, files) is found  # its content was compared
    pass_time(monkeypatch, 10)
    assert all(read(shelf, files) is found for _ in range(3))
    assert len(reads) == 3


def in_place(target: Path, source: Path) -> None:
    shutil.copyfile(source, target)


def by_a_move(target: Path, source: Path) -> None:
    shutil.copyfile(source, target.with_suffix(".new"))
    target.with_suffix(".new").replace(target)


# spec: T5
@pytest.mark.parametrize("put", [in_place, by_a_move])
@pytest.mark.parametrize("keeps_times", [False, True])
def test_a_file_that_is_another_is_read(
    ca: trustme.CA,
    files: CertificateFiles,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    put: Callable[[Path, Path], None],
    keeps_times: bool,
) -> None:
    shelf, new = CertificateCache(), issue(ca, tmp_path, "a.example", "b.example")
    pass_time(monkeypatch, 10)
    before = read(shelf, files)
    for target, source in ((files.cert, new.cert), (files.key, new.key)):
        times = target.stat()
        put(target, source)
        if keeps_times:
            os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert read(shelf, files).names == {"a.example", "b.example"}
    assert before.names == {"a.example"}


# spec: T5
@pytest.mark.parametrize("which", ["cert", "key"])
def test_a_file_that_is_gone_or_broken_is_refused_until_it_is_back(
    files: CertificateFiles, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    shelf, path = CertificateCache(), getattr(files, which)
    pass_time(monkeypatch, 10)
    found, content = read(shelf, files), path.read_bytes()
    path.unlink()
    with pytest.raises(TlsError, match="No such file"):
        read(shelf, files)
    path.write_bytes(content[:100])
    with pytest.raises(TlsError, match="PEM"):
        read(shelf, files)
    path.write_bytes(content)
    assert read(shelf, files) == found


# spec: T5
def test_content_that_was_refused_stays_refused_wherever_it_is(
    ca: trustme.CA, files: CertificateFiles, tmp_path: Path
) -> None:
    shelf, other = CertificateCache(), issue(ca, tmp_path, "a.example")
    problem = TlsProblem(files.cert, "too short")
    assert shelf.refuse(read(shelf, files), problem)
    for _ in range(2):
        with pytest.raises(TlsError) as caught:
            read(shelf, files)
        assert caught.value.problems == (problem,)
    files.cert.write_bytes(other.cert.read_bytes())
    files.key.write_bytes(other.key.read_bytes())
    found = read(shelf, files)
    assert not shelf.refuses(found)
    assert [shelf.refuse(found, problem), shelf.refuse(found, problem)] == [True, False]
