"""Handshakes that ask clients for a certificate, for one domain and not for the other."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from lb.tls.files.certificate import TlsError
from lb.tls.files.client_ca import ClientAuth
from lb.tls.handshake import client_hello as hello_module
from lb.tls.handshake import context_options as settings_module
from lb.tls.handshake.contexts import Contexts
from lb.tls.handshake.sni_map import HandshakePolicy
from tests.tls.certificate_files import issue
from tests.tls.handshakes import Pair, client_context, say, shake

VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


class Setup:
    """Domains that ask for certificates, and clients with and without one."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ca = trustme.CA()
        self.clients = trustme.CA()
        self.strangers = trustme.CA()
        self.client_ca = self.write("clients.pem", self.clients)
        self.files = [
            issue(self.ca, directory, "open.example", "*.wild.example"),
            issue(self.ca, directory, "closed.example", "polite.example", "other.example"),
        ]
        self.policy = HandshakePolicy(
            {
                "closed.example": ClientAuth("closed.example", self.client_ca, required=True),
                "other.example": ClientAuth("other.example", self.client_ca, required=True),
                "polite.example": ClientAuth("polite.example", self.client_ca, required=False),
                "*.wild.example": ClientAuth("*.wild.example", self.client_ca, required=True),
                "free.wild.example": None,
            }
        )
        self.contexts = Contexts(self.files, self.policy)

    def write(self, name: str, ca: trustme.CA) -> Path:
        path = self.directory / name
        path.write_bytes(ca.cert_pem.bytes())
        return path

    def client(self, signer: trustme.CA | None, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        context = client_context(self.ca, version)
        if signer is not None:
            signer.issue_cert("somebody@example.com").configure_cert(context)
        return context

    def visit(
        self, context: ssl.SSLContext, name: str, session: ssl.SSLSession | None = None
    ) -> tuple[Pair, ssl.SSLSession]:
        pair = shake(self.contexts, context, name, session)
        say(pair.server, pair.client, b"and a ticket")
        assert pair.client.session is not None
        return pair, pair.client.session


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path)


# spec: T7
@VERSIONS
@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("closed.example", b"closed.example"),
        ("CLOSED.example", b"closed.example"),
        ("polite.example", b"polite.example"),
        ("a.wild.example", b"*.wild.example"),
    ],
)
def test_a_client_is_asked_and_verified(setup: Setup, name: str, domain: bytes, version: ssl.TLSVersion) -> None:
    pair, _ = setup.visit(setup.client(setup.clients, version), name)
    assert pair.server.client_auth == domain
    assert pair.server.getpeercert(binary_form=True) is not None


# spec: T7
@VERSIONS
@pytest.mark.parametrize("name", ["open.example", "free.wild.example"])
def test_other_domains_do_not_ask(setup: Setup, name: str, version: ssl.TLSVersion) -> None:
    pair, _ = setup.visit(setup.client(setup.clients, version), name)
    assert pair.server.client_auth is None
    assert pair.server.getpeercert(binary_form=True) is None


def refusal(setup: Setup, context: ssl.SSLContext, name: str) -> str:
    with pytest.raises(ssl.SSLError) as caught:
        setup.visit(context, name)
    return str(caught.value.reason)


# spec: T7
@VERSIONS
@pytest.mark.parametrize("name", ["closed.example", "a.wild.example"])
def test_without_a_certificate_the_handshake_fails(setup: Setup, name: str, version: ssl.TLSVersion) -> None:
    assert refusal(setup, setup.client(None, version), name) in (
        "PEER_DID_NOT_RETURN_A_CERTIFICATE",
        "SSLV3_ALERT_HANDSHAKE_FAILURE",
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
    )


# spec: T7
@VERSIONS
@pytest.mark.parametrize("name", ["closed.example", "polite.example"])
def test_a_certificate_of_a_stranger_fails_the_handshake(setup: Setup, name: str, version: ssl.TLSVersion) -> None:
    context = setup.client(setup.strangers, version)
    assert refusal(setup, context, name) in ("CERTIFICATE_VERIFY_FAILED", "TLSV1_ALERT_UNKNOWN_CA")


# spec: T7
@VERSIONS
def test_an_optional_certificate_may_be_missing(setup: Setup, version: ssl.TLSVersion) -> None:
    pair, _ = setup.visit(setup.client(None, version), "polite.example")
    assert pair.server.client_auth == b"polite.example"
    assert pair.server.getpeercert(binary_form=True) is None


# spec: T7, T4
@VERSIONS
def test_a_verified_session_resumes_where_it_was_verified(setup: Setup, version: ssl.TLSVersion) -> None:
    context = setup.client(setup.clients, version)
    first, session = setup.visit(context, "closed.example")
    again, _ = setup.visit(context, "closed.example", session)
    assert again.server.session_reused
    assert again.server.getpeercert(binary_form=True) == first.server.getpeercert(binary_form=True)


# spec: T7; attacks: 35
@VERSIONS
@pytest.mark.parametrize(
    ("begun", "used"),
    [
        ("open.example", "closed.example"),
        ("polite.example", "closed.example"),
        ("other.example", "closed.example"),
        ("free.wild.example", "a.wild.example"),
    ],
)
def test_a_ticket_of_one_name_is_no_way_into_another(
    setup: Setup, begun: str, used: str, version: ssl.TLSVersion
) -> None:
    context = setup.client(setup.clients, version)
    context.check_hostname = False
    _, session = setup.visit(context, begun)
    pair, _ = setup.visit(context, used, session)
    assert not pair.server.session_reused
    assert pair.server.getpeercert(binary_form=True) is not None  # it was asked again


# spec: T7; attacks: 35
@VERSIONS
def test_a_ticket_without_a_certificate_does_not_replace_one(setup: Setup, version: ssl.TLSVersion) -> None:
    context = setup.client(None, version)
    context.check_hostname = False
    for begun in ("open.example", "polite.example"):
        _, session = setup.visit(context, begun)
        with pytest.raises(ssl.SSLError):
            setup.visit(context, "closed.example", session)


# spec: T7; attacks: 35
@VERSIONS
def test_a_session_ends_with_the_authorities_that_vouched(setup: Setup, version: ssl.TLSVersion) -> None:
    context = setup.client(setup.clients, version)
    _, session = setup.visit(context, "closed.example")
    setup.write("clients.pem", setup.strangers)
    setup.contexts.switch(setup.contexts.refresh(setup.files))
    with pytest.raises(ssl.SSLError):
        setup.visit(context, "closed.example", session)


def test_a_broken_file_of_authorities_changes_nothing(setup: Setup) -> None:
    setup.client_ca.write_bytes(setup.client_ca.read_bytes()[:200])
    refreshed = setup.contexts.refresh(setup.files)
    assert [problem.path for problem in refreshed.problems] == [setup.client_ca]
    setup.contexts.switch(refreshed)
    setup.visit(setup.client(setup.clients), "closed.example")
    with pytest.raises(TlsError):
        setup.contexts.prepare(setup.files, setup.policy)


def test_a_policy_without_such_domains_asks_nobody_any_more(setup: Setup) -> None:
    setup.contexts.switch(setup.contexts.prepare(setup.files, HandshakePolicy()))
    pair, _ = setup.visit(setup.client(setup.clients), "closed.example")
    assert pair.server.client_auth is None
    assert pair.server.getpeercert(binary_form=True) is None


# spec: T7
def test_without_openssl_such_a_domain_is_refused(monkeypatch: pytest.MonkeyPatch, setup: Setup) -> None:
    for module in (hello_module, settings_module):
        monkeypatch.setattr(module, "reach", lambda: None)
    with pytest.raises(TlsError, match="OpenSSL cannot be reached"):
        Contexts(setup.files, setup.policy)


# spec: T7
def test_a_handshake_that_was_not_asked_for_is_never_taken_for_one(setup: Setup) -> None:
    setup.contexts._hellos.listen(False)
    with pytest.raises(ssl.SSLError, match=r"INTERNAL_ERROR|internal error"):
        setup.visit(setup.client(setup.clients), "closed.example")
