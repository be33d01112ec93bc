"""Contexts made by the first handshake: certificates that no client asks for cost nothing."""

from __future__ import annotations

import errno
import gc
import logging
import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa

from lb.config.model import CertificateFiles
from lb.tls.files.certificate import Certificate
from lb.tls.files.client_ca import Authority, ClientAuth
from lb.tls.handshake import contexts as contexts_module
from lb.tls.handshake import lazy_context as late_module
from lb.tls.handshake import sni_map as presented_module
from lb.tls.handshake.contexts import Contexts
from lb.tls.handshake.sni_map import HandshakePolicy, SniEntry
from tests.tls.certificate_files import issue, self_signed
from tests.tls.handshakes import client_context, say, shake

VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(autouse=True)
def _many(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with more certificates than contexts are made for at once."""
    monkeypatch.setattr(presented_module, "_AT_ONCE", 0)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "lb.certificates")
    return caplog


def found(contexts: Contexts, name: str) -> SniEntry:
    entry = contexts.presented.find(name)
    assert entry is not None
    return entry


def names_shown(contexts: Contexts, ca: trustme.CA, name: str) -> list[str]:
    received = shake(contexts, client_context(ca), name).client.getpeercert()
    assert received is not None
    return [str(entry[1]) for entry in received["subjectAltName"]]


def too_short(directory: Path, *names: str) -> CertificateFiles:
    """A certificate whose key OpenSSL finds too short, in a directory of its own."""
    directory.mkdir(exist_ok=True)
    return self_signed(directory, names, key=rsa.generate_private_key(public_exponent=65537, key_size=1024))


# spec: T4, D2
@VERSIONS
def test_a_context_is_made_by_the_first_handshake_and_kept(
    ca: trustme.CA, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    contexts = Contexts([issue(ca, tmp_path, "a.example"), issue(ca, tmp_path, "b.example")])
    assert found(contexts, "a.example").late.context is None
    pair = shake(contexts, client_context(ca, version), "a.example")
    assert pair.server.certificate is found(contexts, "a.example").certificate
    made = found(contexts, "a.example").late.context
    assert made is not None
    assert pair.server.context is made
    assert shake(contexts, client_context(ca, version), "a.example").server.context is made
    assert found(contexts, "b.example").late.context is None


# spec: D5
def test_who_names_no_server_needs_the_first_context_too(ca: trustme.CA, tmp_path: Path) -> None:
    contexts = Contexts([issue(ca, tmp_path, "a.example")])
    assert shake(contexts, client_context(), None).server.certificate is None
    assert found(contexts, "a.example").late.context is not None


# spec: T4, R2
def test_what_was_made_is_taken_over_and_what_was_not_is_still_not(ca: trustme.CA, tmp_path: Path) -> None:
    files = [issue(ca, tmp_path, f"{name}.example") for name in "abc"]
    contexts = Contexts(files[:2])
    shake(contexts, client_context(ca), "a.example")
    made = found(contexts, "a.example").late.context
    contexts.switch(contexts.prepare(files))
    assert found(contexts, "a.example").late.context is made
    assert found(contexts, "b.example").late.context is None


# spec: T4, R2
@VERSIONS
def test_a_session_resumes_in_a_context_that_is_made_for_it(
    ca: trustme.CA, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    contexts = Contexts([issue(ca, tmp_path, "a.example")])
    client = client_context(ca, version)
    first = shake(contexts, client, "a.example")
    say(first.server, first.client, b"with the ticket")
    found(contexts, "a.example").late.forget()  # as in a worker that was replaced
    assert shake(contexts, client, "a.example", first.client.session).client.session_reused


# spec: T7
@VERSIONS
def test_a_client_is_asked_for_a_certificate_in_a_context_that_is_made_for_it(
    ca: trustme.CA, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    directory = tmp_path / "files"
    directory.mkdir()
    authorities = tmp_path / "clients.pem"
    authorities.write_bytes(ca.cert_pem.bytes())
    policy = HandshakePolicy({"a.example": ClientAuth("a.example", authorities, required=True)})
    contexts = Contexts([issue(ca, directory, "a.example")], policy)
    client = client_context(ca, version)
    ca.issue_cert("client.example").configure_cert(client)
    pair = shake(contexts, client, "a.example")
    say(pair.client, pair.server, b"after the handshake")
    assert pair.server.client_auth == b"a.example"
    assert pair.server.getpeercert(binary_form=True) is not None


# spec: T5
def test_what_openssl_refuses_is_told_once_and_another_certificate_is_presented(
    ca: trustme.CA, tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    bad = too_short(tmp_path / "bad", "a.wild.example")
    files = [bad, issue(ca, tmp_path, "*.wild.example")]
    contexts = Contexts(files)
    assert names_shown(contexts, ca, "a.wild.example") == ["*.wild.example"]
    (message,) = said.messages
    assert message.startswith(f"{bad.cert}: OpenSSL refuses it: ee key too small; it is no longer presented for a.wild")
    assert message.endswith(": replace it")
    contexts.switch(contexts.refresh(files))  # its content is known
    assert contexts.presented.problems[0].path == bad.cert
    assert names_shown(contexts, ca, "a.wild.example") == ["*.wild.example"]
    assert len(said.messages) == 1
    good = issue(ca, tmp_path, "a.wild.example")
    bad.cert.write_bytes(good.cert.read_bytes())
    bad.key.write_bytes(good.key.read_bytes())
    contexts.switch(contexts.refresh(files))
    assert names_shown(contexts, ca, "a.wild.example") == ["a.wild.example"]


# spec: T5, D5
@pytest.mark.parametrize("name", ["short.example", None])
def test_where_nothing_else_covers_the_name_there_is_the_alert(
    tmp_path: Path, said: pytest.LogCaptureFixture, name: str | None
) -> None:
    contexts = Contexts([too_short(tmp_path / "bad", "short.example")])
    for _ in range(2):
        with pytest.raises(ssl.SSLError) as caught:
            shake(contexts, client_context(), name)
        assert caught.value.reason == "TLSV1_UNRECOGNIZED_NAME"
    assert sum("OpenSSL refuses it" in message for message in said.messages) == 1


# spec: T5, D5
def test_who_names_no_server_gets_the_next_certificate(ca: trustme.CA, tmp_path: Path) -> None:
    contexts = Contexts([too_short(tmp_path / "bad", "short.example"), issue(ca, tmp_path, "a.example")])
    shake(contexts, client_context(), None)
    assert contexts.presented.first is not None
    assert contexts.presented.first.certificate.names == {"a.example"}


# spec: T4, T5
def test_of_two_kinds_of_key_the_good_one_is_presented(ca: trustme.CA, tmp_path: Path) -> None:
    contexts = Contexts([too_short(tmp_path / "bad", "a.example"), issue(ca, tmp_path, "a.example")])
    assert names_shown(contexts, ca, "a.example") == ["a.example"]


# spec: T4
def test_a_shortage_is_not_the_certificates_fault(
    ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: pytest.LogCaptureFixture
) -> None:
    contexts = Contexts([issue(ca, tmp_path, "a.example")])

    def no_descriptors(certificates: tuple[Certificate, ...], authority: Authority | None) -> ssl.SSLContext:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(late_module, "certificate_context", no_descriptors)
        for _ in range(2):
            with pytest.raises(ssl.SSLError) as caught:
                shake(contexts, client_context(ca), "a.example")
            assert caught.value.reason == "TLSV1_ALERT_INTERNAL_ERROR"
    assert said.messages == ["a handshake failed: its certificate could not be loaded: Too many open files"]
    assert names_shown(contexts, ca, "a.example") == ["a.example"]


# spec: T4
def test_the_context_made_longest_ago_goes_when_there_are_too_many(
    ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contexts_module, "_MOST_MADE", 2)
    contexts = Contexts([issue(ca, tmp_path, f"{name}.example") for name in "abc"])
    pairs = [shake(contexts, client_context(ca), f"{name}.example") for name in "abc"]
    assert [found(contexts, f"{name}.example").late.context is None for name in "abc"] == [True, False, False]
    gc.collect()
    assert say(pairs[0].client, pairs[0].server, b"still here") == b"still here"
    assert names_shown(contexts, ca, "a.example") == ["a.example"]
    assert [found(contexts, f"{name}.example").late.context is None for name in "abc"] == [False, True, False]


# spec: T5
def test_few_are_made_with_what_leads_to_them(ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presented_module, "_AT_ONCE", 2)
    contexts = Contexts([issue(ca, tmp_path, f"{name}.example") for name in "abc"])
    assert [found(contexts, f"{name}.example").late.context is None for name in "abc"] == [False, False, True]
