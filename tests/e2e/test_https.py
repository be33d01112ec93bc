"""TLS and certificates by name: clauses T1, T4 and D5."""

from __future__ import annotations

import ssl

import pytest

from tests.e2e.harness.client import Client, get, post
from tests.e2e.harness.expect import assert_error, assert_logged
from tests.e2e.harness.scripts import Echo
from tests.e2e.harness.secure import Secure


def _names(client: Client) -> list[str]:
    """The names in the certificate that the front door presented."""
    assert isinstance(client.sock, ssl.SSLSocket)
    certificate = client.sock.getpeercert()
    assert certificate is not None
    return [str(entry[1]) for entry in certificate["subjectAltName"]]


def test_tls_ends_here_and_the_instance_is_spoken_to_in_plain_http(secure: Secure) -> None:
    # spec: T1, H1
    with secure.connect() as client:
        seen = Echo(client.ask(post("/plain", b"x" * 100_000)))
    assert seen.one("x-forwarded-proto") == "https"
    assert seen.seen["length"] == 100_000
    assert secure.door.wait_log(target="/plain")["scheme"] == "https"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_spoken(secure: Secure, version: ssl.TLSVersion) -> None:
    # spec: T4
    with secure.connect(version=version) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        assert client.sock.version() == version.name.replace("_", ".")
        assert client.sock.selected_alpn_protocol() == "http/1.1"
        assert client.ask(get()).status == 200


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_older_versions_are_refused(secure: Secure, version: str) -> None:
    # spec: T4
    context = secure.authority.context(version=ssl.TLSVersion[version])
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)) as failure:
        secure.door.connect_tls(context)
    assert "NO_PROTOCOLS_AVAILABLE" not in str(failure.value)


@pytest.mark.parametrize(
    "cipher", ["AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES256-SHA384", "DHE-RSA-AES128-SHA"]
)
def test_old_ciphers_are_refused(secure: Secure, cipher: str) -> None:
    # spec: T4
    context = secure.authority.context(version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        secure.door.connect_tls(context)


def test_a_client_without_alpn_is_served(secure: Secure) -> None:
    # spec: T4
    with secure.connect(alpn=()) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        assert client.sock.selected_alpn_protocol() is None
        assert client.ask(get()).status == 200


@pytest.mark.parametrize(
    ("name", "covered"),
    [
        ("shop.example.com", "shop.example.com"),
        ("blog.example.org", "blog.example.org"),
        ("a.wild.example", "*.wild.example"),
    ],
)
def test_the_certificate_is_chosen_by_name(secure: Secure, name: str, covered: str) -> None:
    # spec: T4
    with secure.connect(name) as client:
        assert covered in _names(client)
        assert client.ask(get(host=name)).status == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_resume_on_any_worker(secure: Secure, version: ssl.TLSVersion) -> None:
    # spec: T4
    context = secure.authority.context(version=version)
    with secure.door.connect_tls(context) as client:
        assert client.ask(get()).status == 200  # a TLS 1.3 ticket comes behind the handshake
        assert isinstance(client.sock, ssl.SSLSocket)
        session = client.sock.session
    for _ in range(12):  # two workers: the chance that one of them saw none of these is 1 in 2048
        with secure.door.connect_tls(context, session=session) as client:
            assert isinstance(client.sock, ssl.SSLSocket)
            assert client.ask(get()).status == 200
            assert client.sock.session_reused
            session = client.sock.session


def test_plain_http_on_the_https_port_ends_quickly_and_nothing_is_forwarded(secure: Secure) -> None:
    # spec: T1
    before = len(secure.instance.requests)
    with Client(("127.0.0.1", secure.door.https)) as client:
        client.send(get("/plain-on-tls"))
        client.rest()
    assert len(secure.instance.requests) == before


def test_handshakes_begun_and_dropped_do_no_harm(secure: Secure) -> None:
    # spec: T4, L4
    for data in (b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x16\x03\x01\x00\x05hello"):
        for _ in range(5):
            client = Client(("127.0.0.1", secure.door.https))
            client.send(data)
            client.reset()
    with secure.connect() as client:
        assert client.ask(get()).status == 200


@pytest.mark.parametrize("host", ["blog.example.org", "uncovered.example.net", "a.wild.example"])
def test_a_host_that_the_presented_certificate_does_not_cover_gets_421(secure: Secure, host: str) -> None:
    # spec: D5; attack 24
    with secure.connect("shop.example.com") as client:
        assert client.ask(get(host="shop.example.com")).status == 200
        assert_error(client.ask(get("/misdirected", host=host)), 421, "misdirected_request")
    assert_logged(secure.door, 421, "misdirected_request", target="/misdirected", host=host)


def test_an_unbound_host_that_the_certificate_does_not_cover_is_refused(secure: Secure) -> None:
    # spec: D4, D5: both clauses apply, and either reply is true
    with secure.connect("shop.example.com") as client:
        response = client.ask(get(host="nobody.example"))
        assert_error(response, response.status, "misdirected_request", "destination_not_found")


@pytest.mark.parametrize("host", ["SHOP.example.com.", "shop.example.com:8443", "forced.example.com"])
def test_another_spelling_or_another_covered_name_is_served(secure: Secure, host: str) -> None:
    # spec: D5, D2
    with secure.connect("shop.example.com") as client:
        assert client.ask(get(host=host)).status == 200


def test_a_client_that_names_no_server_gets_the_first_certificate_and_no_check(secure: Secure) -> None:
    # spec: D5
    with secure.connect(None) as client:
        assert "shop.example.com" in _names(client)
        assert client.ask(get(host="shop.example.com")).status == 200
        assert client.ask(get(host="blog.example.org")).status == 200
        assert client.ask(get(host="nobody.example")).status == 404


@pytest.mark.parametrize("name", ["nobody.example", "b.a.wild.example", "wild.example", "uncovered.example.net"])
def test_a_name_without_certificate_gets_the_alert_unrecognized_name(secure: Secure, name: str) -> None:
    # spec: D5
    with pytest.raises(ssl.SSLError) as failure:
        secure.connect(name)
    assert "UNRECOGNIZED_NAME" in str(failure.value).upper()
