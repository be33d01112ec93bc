"""TLS-ALPN-01: which clients get the certificate that proves a name, and which do not."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest
import trustme
from cryptography import x509

from lb.tls.acme.challenge import IDENTIFIER, Proof, alpn_certificate
from lb.tls.acme.store import Store
from lb.tls.handshake.contexts import Contexts
from lb.tls.handshake.sni_map import HandshakePolicy
from lb.tls.handshake.tls_alpn01 import challenge_entry
from tests.tls.certificate_files import issue
from tests.tls.handshakes import Pair, client_context, shake

NAME = "new.example"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "store")
    made.prepare()
    made.put_alpn(NAME, alpn_certificate(Proof("tls-alpn-01", NAME, "token", "token.thumbprint", "")))
    return made


@pytest.fixture
def contexts(store: Store, tmp_path: Path) -> Contexts:
    directory = tmp_path / "files"
    directory.mkdir()
    return Contexts([issue(trustme.CA(), directory, "old.example")], HandshakePolicy(challenges=store.challenges))


def ask(contexts: Contexts, name: str, protocols: Sequence[str], version: ssl.TLSVersion | None = None) -> Pair:
    context = client_context(None, version)
    context.set_alpn_protocols(protocols)
    return shake(contexts, context, name)


def presented(pair: Pair) -> x509.Certificate:
    encoded = pair.client.getpeercert(binary_form=True)
    assert encoded is not None
    return x509.load_der_x509_certificate(encoded)


# spec: T6; RFC 8737 section 3
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("name", [NAME, "NEW.Example"])
def test_an_authority_gets_the_proof(contexts: Contexts, name: str, version: ssl.TLSVersion) -> None:
    pair = ask(contexts, name, ["acme-tls/1"], version)
    assert pair.client.selected_alpn_protocol() == "acme-tls/1"
    extension = presented(pair).extensions.get_extension_for_oid(IDENTIFIER)
    assert extension.critical
    names = presented(pair).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAME]


# spec: T6, D5
def test_nobody_is_served_over_the_authoritys_connection(contexts: Contexts) -> None:
    pair = ask(contexts, NAME, ["acme-tls/1"])
    assert pair.server.certificate is not None
    assert not pair.server.certificate.covers(NAME)


# spec: T6
@pytest.mark.parametrize("protocols", [["http/1.1"], ["acme-tls/1", "http/1.1"], ["h2", "acme-tls/1"]])
def test_any_other_handshake_for_that_name_is_unaffected(contexts: Contexts, protocols: list[str]) -> None:
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        ask(contexts, NAME, protocols)


# spec: T6
def test_a_name_without_a_challenge_is_served_as_ever(contexts: Contexts) -> None:
    pair = ask(contexts, "old.example", ["acme-tls/1"])
    assert pair.client.selected_alpn_protocol() is None
    assert pair.server.certificate is not None
    assert pair.server.certificate.covers("old.example")


# spec: T6
def test_a_name_that_is_proved_again_is_served_meanwhile(contexts: Contexts, store: Store) -> None:
    store.put_alpn("old.example", alpn_certificate(Proof("tls-alpn-01", "old.example", "t", "t.p", "")))
    ordinary = ask(contexts, "old.example", ["http/1.1"])
    assert ordinary.client.selected_alpn_protocol() == "http/1.1"
    proof = ask(contexts, "old.example", ["acme-tls/1"])
    assert proof.client.selected_alpn_protocol() == "acme-tls/1"
    after = ask(contexts, "old.example", ["http/1.1"])
    assert presented(after) == presented(ordinary)


# spec: T6
def test_proofs_come_and_go(contexts: Contexts, store: Store) -> None:
    store.drop_answer(f"{NAME}.alpn")
    with pytest.raises(ssl.SSLError):
        ask(contexts, NAME, ["acme-tls/1"])


# spec: T6; attacks: 36
@pytest.mark.parametrize(
    "name", ["", ".", "..", "../secret", "a/b", "a\0b", "*", "none.example", "x" * 300, "é", "half.example", "dir"]
)
def test_no_other_name_finds_a_file(store: Store, name: str) -> None:
    (store.root / "secret.alpn").write_bytes((store.challenges / f"{NAME}.alpn").read_bytes())
    (store.challenges / "half.example.alpn").write_bytes(b"-----BEGIN PRIVATE KEY-----\n")
    (store.challenges / "dir.alpn").mkdir()
    assert challenge_entry(store.challenges, name) is None


# spec: T6
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_an_authoritys_handshake_that_fails_early_leaves_nothing_to_the_next_client(contexts: Contexts) -> None:
    old = client_context(None)
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1
    old.set_alpn_protocols(["acme-tls/1"])
    with pytest.raises(ssl.SSLError, match=r"(?i)version"):
        shake(contexts, old, NAME)
    pair = ask(contexts, "old.example", ["http/1.1"])
    assert presented(pair).extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
        x509.DNSName
    ) == ["old.example"]
