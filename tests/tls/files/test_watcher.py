"""Which changes of certificate files are noticed, when, and what is logged."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import pytest
import trustme

from lb.config.model import CertificateFiles
from lb.tls.files.client_ca import ClientAuth
from lb.tls.files.watcher import CertificateWatcher
from lb.tls.handshake import tickets as tickets_module
from lb.tls.handshake.contexts import Contexts
from lb.tls.handshake.sni_map import HandshakePolicy
from lb.tls.handshake.tickets import LIFETIME, Tickets
from tests.tls.certificate_files import issue


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "lb.certificates")
    return caplog


def upkeep(*files: CertificateFiles) -> CertificateWatcher:
    return CertificateWatcher(Contexts(files), lambda: files)


def put(old: CertificateFiles, new: CertificateFiles) -> None:
    """The content of one pair in the place of another, with the times of the old one."""
    for target, source in ((old.cert, new.cert), (old.key, new.key)):
        before = target.stat()
        shutil.copyfile(source, target)
        os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))


# spec: T5
def test_nothing_is_told_while_nothing_changes(ca: trustme.CA, tmp_path: Path, said: pytest.LogCaptureFixture) -> None:
    files = issue(ca, tmp_path, "a.example")
    watched = upkeep(files)
    for path in (files.cert, files.key):
        path.touch()
    assert [watched.look() for _ in range(4)] == [False] * 4
    assert said.messages == []


# spec: T5
def test_a_replaced_pair_is_told_once_it_holds_still(
    ca: trustme.CA, tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    files = issue(ca, tmp_path, "a.example")
    watched = upkeep(files)
    watched.look()
    put(files, issue(ca, tmp_path, "a.example", "b.example"))
    assert [watched.look() for _ in range(4)] == [False, True, False, False]
    (message,) = said.messages
    assert message == f"{files.cert} was replaced: a.example, b.example, until 3000-01-01"


# spec: T5
def test_a_pair_that_changed_before_the_first_look_is_told(ca: trustme.CA, tmp_path: Path) -> None:
    files = issue(ca, tmp_path, "a.example")
    watched = upkeep(files)
    put(files, issue(ca, tmp_path, "a.example"))
    assert [watched.look() for _ in range(3)] == [False, True, False]


# spec: T5
def test_a_pair_that_is_being_written_is_left_alone(
    ca: trustme.CA, tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    files, new = issue(ca, tmp_path, "a.example"), issue(ca, tmp_path, "a.example")
    watched = upkeep(files)
    watched.look()
    shutil.copyfile(new.cert, files.cert)
    assert not watched.look()
    files.key.write_bytes(new.key.read_bytes()[:100])
    assert not watched.look()
    shutil.copyfile(new.key, files.key)
    assert [watched.look() for _ in range(3)] == [False, True, False]
    assert len(said.messages) == 1


# spec: T5
def test_a_pair_that_stays_half_written_is_told_of_in_words_once(
    ca: trustme.CA, tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    files, other = issue(ca, tmp_path, "a.example"), issue(ca, tmp_path, "b.example")
    watched = upkeep(files, other)
    watched.look()
    shutil.copyfile(issue(ca, tmp_path, "a.example").cert, files.cert)
    assert [watched.look() for _ in range(4)] == [False] * 4
    (message,) = said.messages
    assert message == (
        f"{files.key}: not the key of the first certificate in {files.cert}; what was there before stays in use"
    )
    put(other, issue(ca, tmp_path, "b.example"))  # the others need not wait for it
    assert [watched.look() for _ in range(2)] == [False, True]


# spec: T5
def test_a_file_that_is_gone_leaves_the_certificate_in_use(
    ca: trustme.CA, tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    files = issue(ca, tmp_path, "a.example")
    watched = upkeep(files)
    files.cert.unlink()
    assert [watched.look() for _ in range(3)] == [False] * 3
    assert said.messages == [f"{files.cert}: No such file or directory; what was there before stays in use"]


# spec: T5
def test_files_that_come_later_are_told(ca: trustme.CA, tmp_path: Path) -> None:
    files: list[CertificateFiles] = []
    watched = CertificateWatcher(Contexts(), lambda: files)
    assert not watched.look()
    files.append(issue(ca, tmp_path, "a.example"))
    assert [watched.look() for _ in range(3)] == [False, True, False]


# spec: T4
def test_ticket_keys_are_rotated_when_they_are_due() -> None:
    now = 1000.0
    contexts = Contexts()
    contexts.tickets = Tickets(contexts.front, lambda: now)
    watched = CertificateWatcher(contexts, lambda: ())
    assert not watched.look()
    now += LIFETIME
    assert [watched.look() for _ in range(2)] == [True, False]


# spec: T4
def test_keys_that_cannot_be_rotated_are_told_of(
    monkeypatch: pytest.MonkeyPatch, said: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tickets_module, "reach", lambda: None)
    watched = upkeep()
    assert not watched.look()
    assert "the OpenSSL in use cannot be reached" in said.text


# spec: T7
def test_replaced_authorities_are_told(ca: trustme.CA, tmp_path: Path, said: pytest.LogCaptureFixture) -> None:
    directory = tmp_path / "files"
    directory.mkdir()
    files, authorities = issue(ca, directory, "a.example"), tmp_path / "clients.pem"
    authorities.write_bytes(trustme.CA().cert_pem.bytes())
    policy = HandshakePolicy({"a.example": ClientAuth("a.example", authorities, required=True)})
    watched = CertificateWatcher(Contexts([files], policy), lambda: [files])
    assert [watched.look() for _ in range(3)] == [False] * 3
    authorities.write_bytes(authorities.read_bytes()[:100])
    assert [watched.look() for _ in range(3)] == [False] * 3
    authorities.write_bytes(trustme.CA().cert_pem.bytes())
    assert [watched.look() for _ in range(3)] == [False, True, False]
    assert [message.partition(str(authorities))[2] for message in said.messages] == [
        ": not a certificate in PEM form; what was there before stays in use",
        " was replaced: clients need certificates of these authorities from now on",
    ]
