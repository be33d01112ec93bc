"""Server names in the form in which they are compared, and what of them is ever remembered."""

from __future__ import annotations

import ssl

import pytest

from lb.config.model import CertificateFiles
from lb.tls.files.self_signed import ensure_certificate
from lb.tls.handshake.client_hello import _host_name, _sent_name
from lb.tls.handshake.contexts import Contexts
from lb.tls.handshake.server_name import is_address, is_name, server_name
from lb.tls.handshake.sni_map import HandshakePolicy
from tests.e2e.harness.hello import client_hello
from tests.tls.handshakes import client_context, shake


# spec: D2
@pytest.mark.parametrize(
    ("sent", "compared"),
    [
        ("Shop.Example.COM", "shop.example.com"),
        ("shop.example.com.", "shop.example.com"),
        ("shop.example.com:8443", "shop.example.com"),
        ("localhost.:1", "localhost"),
        ("shop.example.com:", "shop.example.com:"),
        ("shop.example.com:8443x", "shop.example.com:8443x"),
        ("::1", "::1"),
        ("[::1]:443", "::1"),
        ("127.0.0.1:443", "127.0.0.1"),
        ("", ""),
    ],
)
def test_case_final_dot_and_port_do_not_count(sent: str, compared: str) -> None:
    assert server_name(sent) == compared


def test_addresses_are_no_names() -> None:
    assert is_address("[::1]:443")
    assert is_address("127.0.0.1:8443")
    assert not is_address("localhost:8443")


def test_what_cannot_be_a_name_is_none() -> None:
    assert is_name("a" * 253)
    for name in ("", "a" * 254, "a b", "a\nb", "é.example", ".a", "a\x1b[1m"):
        assert not is_name(name)


@pytest.mark.parametrize("size", [254, 62_000])
def test_a_name_that_is_too_long_is_heard_as_none(size: int) -> None:
    name = b"a" * size
    extension = b"\0\0\0" + size.to_bytes(2, "big") + name
    assert _host_name(_sent_name(extension)) is None


class Heard:
    """What a client hello with these bytes for a name comes to: the alert, and what was asked about."""

    def __init__(self, name: bytes, protocol: bytes = b"") -> None:
        self.contexts = Contexts((), HandshakePolicy(demanded=frozenset({"*.example.com"})))
        self.asked: list[str] = []
        self.contexts.held.on_miss = self.asked.append
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        incoming.write(client_hello(name, protocol=protocol))
        with pytest.raises(ssl.SSLError):
            self.contexts.wrap(incoming, outgoing).do_handshake()
        self.alert = outgoing.read()


@pytest.mark.parametrize(
    "name",
    [b"a" * 300 + b".example.com", b"a" * 60_000 + b".example.com", b"\xff\xfe.example.com", "é.example.com".encode()],
)
def test_a_name_that_is_none_is_refused_where_the_hello_is_heard(name: bytes) -> None:
    heard = Heard(name)
    assert heard.alert[-2:] == bytes((2, ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME))
    assert heard.asked == []
    assert heard.contexts.held.unknown == 1


def test_a_stranger_that_offers_the_challenges_protocol_brings_up_no_name() -> None:
    heard = Heard(b"n1.example.com", b"acme-tls/1")
    assert heard.asked == []
    assert heard.contexts.held.refused == 1


# spec: D2, D5
def test_a_server_name_with_a_port_is_served(files: CertificateFiles) -> None:
    contexts = Contexts([files])
    assert shake(contexts, client_context(), "shop.localhost:8443").server.certificate is not None
    assert contexts.presented.find("shop.localhost:x") is None


@pytest.fixture
def files(tmp_path_factory: pytest.TempPathFactory) -> CertificateFiles:

    return ensure_certificate(tmp_path_factory.mktemp("certificates"), ["shop.localhost"])


# spec: E3
def test_a_name_without_a_certificate_is_counted_and_said_once(
    files: CertificateFiles, caplog: pytest.LogCaptureFixture
) -> None:
    contexts = Contexts([files])
    for name in ("other.example", "other.example", "OTHER.example:443"):
        with pytest.raises(ssl.SSLError):
            shake(contexts, client_context(), name)
    assert contexts.held.unknown == 3
    assert [record.getMessage() for record in caplog.records] == [
        (
            "a TLS handshake for other.example was refused: "
            "no certificate covers this name (`lb check` reports domains without one)"
        )
    ]
    for number in range(50):
        with pytest.raises(ssl.SSLError):
            shake(contexts, client_context(), f"n{number}.example")
    assert contexts.held.unknown == 53
    assert len(caplog.records) == 5
