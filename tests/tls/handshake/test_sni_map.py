"""Certificates that change: what is prepared, refused, kept and switched to."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import trustme

from lb.config.model import CertificateFiles
from lb.tls.files.certificate import TlsError
from lb.tls.handshake.contexts import Contexts
from lb.tls.handshake.sni_map import Presented, present
from tests.tls.certificate_files import issue
from tests.tls.handshakes import client_context, say, shake


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


def replace(old: CertificateFiles, new: CertificateFiles) -> None:
    """Put the content of one pair in the place of another, as an editor or `cp -p` does: the time may be the same."""
    for target, source in ((old.cert, new.cert), (old.key, new.key)):
        before = target.stat()
        shutil.copyfile(source, target)
        os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))


def presented_names(contexts: Contexts, ca: trustme.CA, name: str) -> list[str]:
    received = shake(contexts, client_context(ca), name).client.getpeercert()
    assert received is not None
    return [str(entry[1]) for entry in received["subjectAltName"]]


# spec: T5, R2
def test_a_replaced_certificate_is_presented_from_the_switch_on(ca: trustme.CA, tmp_path: Path) -> None:
    files = issue(ca, tmp_path, "a.example")
    contexts = Contexts([files])
    replace(files, issue(ca, tmp_path, "a.example", "new.example"))
    prepared = contexts.prepare([files])
    assert presented_names(contexts, ca, "a.example") == ["a.example"]
    contexts.switch(prepared)
    assert presented_names(contexts, ca, "a.example") == ["a.example", "new.example"]


# spec: T5
def test_a_handshake_under_way_and_a_connection_outlive_a_switch(ca: trustme.CA, tmp_path: Path) -> None:
    contexts = Contexts([issue(ca, tmp_path, "a.example")])
    pair = shake(contexts, client_context(ca), "a.example")
    contexts.switch(contexts.prepare([issue(ca, tmp_path, "b.example")]))
    assert say(pair.client, pair.server, b"still here") == b"still here"


# spec: T4, R2
def test_a_session_resumes_after_a_switch_to_another_certificate(ca: trustme.CA, tmp_path: Path) -> None:
    files = issue(ca, tmp_path, "a.example")
    contexts = Contexts([files])
    client = client_context(ca)
    first = shake(contexts, client, "a.example")
    say(first.server, first.client, b"with the ticket")
    replace(files, issue(ca, tmp_path, "a.example"))
    contexts.switch(contexts.prepare([files]))
    assert shake(contexts, client, "a.example", first.client.session).client.session_reused


def test_what_did_not_change_is_not_loaded_again(ca: trustme.CA, tmp_path: Path) -> None:
    one, two = issue(ca, tmp_path, "a.example"), issue(ca, tmp_path, "b.example")
    before = present([one, two], Presented())
    replace(two, issue(ca, tmp_path, "b.example"))
    after = present([one, two], before)
    assert after.find("a.example") is not None
    assert after.by_name["a.example"].late is before.by_name["a.example"].late
    assert after.by_name["b.example"].late is not before.by_name["b.example"].late


def cut_chain(files: CertificateFiles) -> None:
    files.cert.write_bytes(files.cert.read_bytes() * 2)
    files.cert.write_bytes(files.cert.read_bytes()[:-40])


def cut_leaf(files: CertificateFiles) -> None:
    files.cert.write_bytes(files.cert.read_bytes()[:300])


def empty_key(files: CertificateFiles) -> None:
    files.key.write_bytes(b"")


def no_certificate(files: CertificateFiles) -> None:
    files.cert.unlink()


# spec: T5
@pytest.mark.parametrize("damage", [cut_chain, cut_leaf, empty_key, no_certificate])
def test_a_half_written_pair_is_refused_and_never_used(ca: trustme.CA, tmp_path: Path, damage: object) -> None:
    files, other = issue(ca, tmp_path, "a.example"), issue(ca, tmp_path, "b.example")
    contexts = Contexts([files, other])
    assert callable(damage)
    damage(files)
    replace(other, issue(ca, tmp_path, "b.example", "new.example"))
    with pytest.raises(TlsError) as caught:
        contexts.prepare([files, other])
    assert {problem.path for problem in caught.value.problems} <= {files.cert, files.key}
    assert presented_names(contexts, ca, "b.example") == ["b.example"]
    # The other file is good, and need not wait for this one.
    refreshed = contexts.refresh([files, other])
    assert refreshed.problems == caught.value.problems
    contexts.switch(refreshed)
    assert presented_names(contexts, ca, "a.example") == ["a.example"]
    assert presented_names(contexts, ca, "b.example") == ["b.example", "new.example"]


# spec: T5
def test_a_certificate_whose_key_has_not_come_yet(ca: trustme.CA, tmp_path: Path) -> None:
    files, new = issue(ca, tmp_path, "a.example"), issue(ca, tmp_path, "a.example", "new.example")
    contexts = Contexts([files])
    shutil.copyfile(new.cert, files.cert)
    contexts.switch(contexts.refresh([files]))
    assert presented_names(contexts, ca, "a.example") == ["a.example"]
    shutil.copyfile(new.key, files.key)
    contexts.switch(contexts.refresh([files]))
    assert contexts.presented.problems == ()
    assert presented_names(contexts, ca, "a.example") == ["a.example", "new.example"]


def test_a_pair_that_was_never_usable_is_left_out_of_a_refresh(ca: trustme.CA, tmp_path: Path) -> None:
    good, bad = issue(ca, tmp_path, "a.example"), issue(ca, tmp_path, "b.example")
    bad.key.write_bytes(b"")
    refreshed = Contexts().refresh([bad, good])
    assert refreshed.find("b.example") is None
    assert refreshed.find("a.example") is not None
    assert [problem.path for problem in refreshed.problems] == [bad.key]


# spec: T5
def test_certificates_come_and_go_while_the_front_context_stays(ca: trustme.CA, tmp_path: Path) -> None:
    contexts = Contexts()
    front = contexts.front
    files = issue(ca, tmp_path, "a.example")
    contexts.switch(contexts.prepare([files]))
    assert presented_names(contexts, ca, "a.example") == ["a.example"]
    contexts.switch(contexts.prepare([]))
    assert contexts.presented.first is None
    assert contexts.front is front
