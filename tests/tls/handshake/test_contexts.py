from __future__ import annotations

import ssl
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lb.config.model import CertificateFiles
from lb.tls.files.certificate import TlsError
from lb.tls.handshake.contexts import Contexts
from tests.tls.certificate_files import issue, self_signed, write_key
from tests.tls.handshakes import client_context, say, shake

VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def contexts(ca: trustme.CA, tmp_path: Path) -> Contexts:
    return Contexts(
        [
            issue(ca, tmp_path, "first.example"),
            issue(ca, tmp_path, "*.wild.example"),
            issue(ca, tmp_path, "exact.wild.example", "other.example"),
        ]
    )


# spec: T4, D2
@VERSIONS
@pytest.mark.parametrize(
    ("name", "presented"),
    [
        ("first.example", "first.example"),
        ("FIRST.Example", "first.example"),
        ("a.wild.example", "*.wild.example"),
        ("exact.wild.example", "exact.wild.example"),
        ("other.example", "exact.wild.example"),
    ],
)
def test_the_server_name_picks_the_certificate(
    ca: trustme.CA, contexts: Contexts, name: str, presented: str, version: ssl.TLSVersion
) -> None:
    pair = shake(contexts, client_context(ca, version), name)
    assert pair.server.certificate is not None
    assert presented in pair.server.certificate.names
    received = pair.client.getpeercert()
    assert received is not None
    assert ("DNS", presented) in received["subjectAltName"]
    assert say(pair.client, pair.server, b"ping") == b"ping"


# spec: D5
@VERSIONS
@pytest.mark.parametrize("name", ["unknown.example", "a.b.wild.example", "wild.example", "localhost"])
def test_an_unknown_server_name_gets_the_alert(contexts: Contexts, name: str, version: ssl.TLSVersion) -> None:
    with pytest.raises(ssl.SSLError) as caught:
        shake(contexts, client_context(None, version), name)
    assert caught.value.reason == "TLSV1_UNRECOGNIZED_NAME"


# spec: D5
@VERSIONS
def test_without_a_server_name_the_first_certificate_is_presented(contexts: Contexts, version: ssl.TLSVersion) -> None:
    pair = shake(contexts, client_context(None, version), None)
    assert pair.server.certificate is None
    encoded = pair.client.getpeercert(binary_form=True)
    assert encoded is not None
    names = x509.load_der_x509_certificate(encoded).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.DNSName) == ["first.example"]


# spec: D5
def test_an_address_as_host_is_no_server_name(contexts: Contexts) -> None:
    pair = shake(contexts, client_context(), "127.0.0.1")
    assert pair.server.certificate is None


# spec: D5
@pytest.mark.parametrize("name", ["127.0.0.1", "::1"])
def test_an_address_sent_as_a_server_name_names_none(contexts: Contexts, name: str) -> None:
    # Python's own client never sends one; scanners do.
    connection = contexts.wrap(ssl.MemoryBIO(), ssl.MemoryBIO())
    callback = contexts.front.sni_callback
    assert callback is not None
    assert callback(connection, name, contexts.front) is None
    assert connection.certificate is None
    assert contexts.presented.first is not None
    assert connection.context is contexts.presented.first.late.context


# spec: D5
@pytest.mark.parametrize("name", ["first.example.", "FIRST.EXAMPLE", "A.wild.Example."])
def test_case_and_a_trailing_dot_of_a_server_name_do_not_count(contexts: Contexts, name: str) -> None:
    assert contexts.presented.find(name) is not None


# spec: D5
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text() | st.sampled_from(["", ".", "*", "*.", "..", "*.wild.example.", ".wild.example"]))
def test_no_server_name_makes_the_callback_raise(contexts: Contexts, name: str) -> None:
    connection = contexts.wrap(ssl.MemoryBIO(), ssl.MemoryBIO())
    callback = contexts.front.sni_callback
    assert callback is not None
    answer = callback(connection, name, contexts.front)
    assert answer == (None if connection.certificate is not None else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)


# spec: T4
@VERSIONS
def test_alpn_is_http_1_1(contexts: Contexts, version: ssl.TLSVersion) -> None:
    for name in (None, "first.example", "other.example"):
        pair = shake(contexts, client_context(None, version), name)
        assert pair.client.selected_alpn_protocol() == "http/1.1"


# spec: T4
def test_a_client_that_offers_only_other_protocols_is_served(contexts: Contexts) -> None:
    context = client_context()
    context.set_alpn_protocols(["acme-tls/1"])
    assert shake(contexts, context, "first.example").client.selected_alpn_protocol() is None


# spec: T4
def test_old_versions_are_refused(contexts: Contexts) -> None:
    context = client_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError) as caught:
        shake(contexts, context, "first.example")
    assert caught.value.reason in ("TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL")


# spec: T4
@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES128-SHA256", "AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256"])
def test_suites_without_forward_secrecy_or_aead_are_refused(contexts: Contexts, cipher: str) -> None:
    context = client_context(None, ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(cipher)
    with pytest.raises(ssl.SSLError) as caught:
        shake(contexts, context, "first.example")
    assert "HANDSHAKE_FAILURE" in caught.value.reason


# spec: T4; attacks: 34
def test_settings_of_every_context(contexts: Contexts) -> None:
    found = [contexts.presented.find(name) for name in ("first.example", "a.wild.example", "other.example")]
    for context in (contexts.front, *(entry.late.make() for entry in found if entry)):
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        assert context.num_tickets == 1
        for option in (ssl.OP_NO_RENEGOTIATION, ssl.OP_NO_COMPRESSION, ssl.OP_IGNORE_UNEXPECTED_EOF):
            assert context.options & option
        assert not context.options & ssl.OP_NO_TICKET
        assert {cipher["name"] for cipher in context.get_ciphers()} == {
            "TLS_AES_256_GCM_SHA384",
            "TLS_CHACHA20_POLY1305_SHA256",
            "TLS_AES_128_GCM_SHA256",
            "ECDHE-ECDSA-AES128-GCM-SHA256",
            "ECDHE-RSA-AES128-GCM-SHA256",
            "ECDHE-ECDSA-AES256-GCM-SHA384",
            "ECDHE-RSA-AES256-GCM-SHA384",
            "ECDHE-ECDSA-CHACHA20-POLY1305",
            "ECDHE-RSA-CHACHA20-POLY1305",
        }


# spec: T4
@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ("AES256-GCM-SHA384 AES128-GCM-SHA256 CHACHA20-POLY1305", "AES128-GCM-SHA256"),
        ("CHACHA20-POLY1305 AES256-GCM-SHA384 AES128-GCM-SHA256", "CHACHA20-POLY1305"),
    ],
)
def test_the_order_of_suites_is_ours_but_for_clients_that_are_fast_at_chacha20(
    contexts: Contexts, offered: str, chosen: str
) -> None:
    context = client_context(None, ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(":".join(f"ECDHE-ECDSA-{name}" for name in offered.split()))
    cipher = shake(contexts, context, "first.example").server.cipher()
    assert cipher is not None
    assert cipher[0] == f"ECDHE-ECDSA-{chosen}"


# spec: T4
def test_tls_1_3_has_the_same_order(contexts: Contexts) -> None:
    cipher = shake(contexts, client_context(None, ssl.TLSVersion.TLSv1_3), "first.example").server.cipher()
    assert cipher is not None
    assert cipher[0] == "TLS_AES_128_GCM_SHA256"


# spec: T4
@pytest.mark.parametrize("rsa_first", [True, False])
def test_two_kinds_of_key_for_one_name_serve_either_client(ca: trustme.CA, tmp_path: Path, rsa_first: bool) -> None:
    pairs = [issue(ca, tmp_path, "both.example", rsa_key=kind) for kind in (rsa_first, not rsa_first)]
    contexts = Contexts(pairs)
    assert contexts.presented.warnings == ()
    for kind, expected in (("RSA", rsa.RSAPublicKey), ("ECDSA", ec.EllipticCurvePublicKey)):
        context = client_context(ca, ssl.TLSVersion.TLSv1_2)
        context.set_ciphers(f"ECDHE-{kind}-AES128-GCM-SHA256")
        encoded = shake(contexts, context, "both.example").client.getpeercert(binary_form=True)
        assert encoded is not None
        assert isinstance(x509.load_der_x509_certificate(encoded).public_key(), expected)


def test_the_first_of_two_certificates_has_a_name_they_share(ca: trustme.CA, tmp_path: Path) -> None:
    contexts = Contexts([issue(ca, tmp_path, "a.example", "b.example"), issue(ca, tmp_path, "b.example", "c.example")])
    found = contexts.presented.find("b.example")
    assert found is not None
    assert found.certificate.names == {"a.example", "b.example"}


def test_a_certificate_that_can_never_be_presented_is_warned_about(ca: trustme.CA, tmp_path: Path) -> None:
    twins = [issue(ca, tmp_path, "a.example"), issue(ca, tmp_path, "a.example")]
    (warning,) = Contexts(twins).presented.warnings
    assert warning.startswith(f"{twins[1].cert}: never presented")


# spec: R1
def test_an_expired_certificate_is_served_with_a_warning(tmp_path: Path) -> None:
    files = self_signed(tmp_path, ["old.example"], not_after=datetime.now(UTC) - timedelta(days=1))
    contexts = Contexts([files])
    (warning,) = contexts.presented.warnings
    assert "expired on" in warning
    assert shake(contexts, client_context(), "old.example").server.certificate is not None


# spec: R1
def test_every_bad_file_is_named_at_once(ca: trustme.CA, tmp_path: Path) -> None:
    good, mismatched = issue(ca, tmp_path, "a.example"), issue(ca, tmp_path, "b.example")
    write_key(mismatched.key, ec.generate_private_key(ec.SECP256R1()))
    missing = CertificateFiles(cert=tmp_path / "none.pem", key=good.key)
    with pytest.raises(TlsError) as caught:
        Contexts([good, mismatched, missing])
    assert [problem.path for problem in caught.value.problems] == [mismatched.key, missing.cert]


# spec: T4
def test_a_key_that_is_too_short_is_refused(tmp_path: Path) -> None:
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    files = self_signed(tmp_path, ["short.example"], key=short)
    with pytest.raises(TlsError, match=r"self\.pem: OpenSSL refuses it: ee key too small"):
        Contexts([files])


# spec: T5, D5
@VERSIONS
@pytest.mark.parametrize("name", ["first.example", None])
def test_without_any_certificate_every_name_is_unknown(name: str | None, version: ssl.TLSVersion) -> None:
    with pytest.raises(ssl.SSLError) as caught:
        shake(Contexts(), client_context(None, version), name)
    assert caught.value.reason == "TLSV1_UNRECOGNIZED_NAME"
