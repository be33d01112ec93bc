"""Domains whose clients have to show a certificate: clause T7."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import HOST, Client, get
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.expect import assert_error
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.scripts import Echo, echo

CLOSED, POLITE = "closed.example.com", "polite.example.com"


@dataclass(frozen=True, slots=True)
class Guarded:
    door: FrontDoor
    authority: Authority
    clients: Authority

    def connect(self, name: str | None, *, shows: bool, version: ssl.TLSVersion | None = None) -> Client:
        """A TLS connection that names `name` as its server; with a certificate if it `shows` one."""
        context = self.authority.context(check_name=False, version=version)
        if shows:
            pair = self.clients.issue("client.example.com")
            context.load_cert_chain(pair["cert"], pair["key"])
        return self.door.connect_tls(context, name)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Guarded]:
    directory = tmp_path_factory.mktemp("guarded")
    clients = Authority(directory)
    client_ca = clients.write_root("clients-ca.pem")
    domains = (
        HOST,
        {"name": CLOSED, "client_ca": client_ca},
        {"name": POLITE, "client_ca": client_ca, "client_auth": "optional"},
    )
    with ExitStack() as stack:
        instance = stack.enter_context(Instance(echo()))
        config = configure(
            instance.address,
            domains=domains,
            listen={"http": "127.0.0.1:0", "https": "127.0.0.1:0"},
            workers=2,
            tls=tls_config(authority.issue(HOST, CLOSED, POLITE)),
        )
        yield Guarded(stack.enter_context(FrontDoor(config, directory)), authority, clients)


VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


# spec: T7, H3
@VERSIONS
@pytest.mark.parametrize("name", [CLOSED, POLITE])
def test_the_app_gets_the_verified_certificate(guarded: Guarded, name: str, version: ssl.TLSVersion) -> None:
    with guarded.connect(name, shows=True, version=version) as client:
        for spelling in ("Client-Cert", "client_cert", "CLIENT-CERT-CHAIN", "Client_Cert_Chain"):
            seen = Echo(client.ask(get("/", f"{spelling}: :c3Bvb2Y=:", host=name)))
            field = seen.one("client-cert")
            assert field[:1] == field[-1:] == ":"
            shown = guarded.clients.last_issued()
            assert base64.b64decode(field[1:-1]) == ssl.PEM_cert_to_DER_cert(shown)
            assert _told(seen) == ["Client-Cert"]


# spec: T7, H3
@pytest.mark.parametrize("spelling", ["Client-Cert", "client_cert", "Client-Cert-Chain", "CLIENT_CERT_CHAIN"])
def test_nobody_else_is_told_of_one(guarded: Guarded, spelling: str) -> None:
    forged = f"{spelling}: :c3Bvb2Y=:"
    with guarded.connect(HOST, shows=True) as client:
        assert not _told(Echo(client.ask(get("/", forged, host=HOST))))
    with guarded.connect(POLITE, shows=False) as client:
        assert not _told(Echo(client.ask(get("/", forged, host=POLITE))))
    with guarded.connect(CLOSED, shows=True) as client:
        assert not _told(Echo(client.ask(get("/", forged, host=HOST))))  # the same connection, another domain


def _told(seen: Echo) -> list[str]:
    return [name for name, _ in seen.fields if "client" in name.lower() and "cert" in name.lower()]


# spec: T7
@VERSIONS
def test_a_client_without_a_certificate_does_not_come_in(guarded: Guarded, version: ssl.TLSVersion) -> None:
    with (
        pytest.raises((ssl.SSLError, ConnectionError, EOFError)),
        guarded.connect(CLOSED, shows=False, version=version) as client,
    ):
        client.ask(get(host=CLOSED))


# spec: T7, D5; attacks: 24
@pytest.mark.parametrize("name", [HOST, POLITE, None])
def test_a_connection_made_for_another_name_is_refused_there(guarded: Guarded, name: str | None) -> None:
    with guarded.connect(name, shows=True) as client:
        assert_error(client.ask(get(host=CLOSED)), 421, "misdirected_request")
        assert client.ask(get(host=HOST)).status == 200


# spec: T7
def test_plain_http_is_refused(guarded: Guarded) -> None:
    assert_error(guarded.door.ask(get(host=CLOSED)), 403, "client_certificate_required")
    assert_error(guarded.door.ask(get(host=POLITE)), 403, "client_certificate_required")
    assert guarded.door.ask(get(host=HOST)).status == 200


# spec: T7; attacks: 35
@VERSIONS
def test_a_ticket_of_another_name_is_no_way_in(guarded: Guarded, version: ssl.TLSVersion) -> None:
    context = guarded.authority.context(check_name=False, version=version)
    with guarded.door.connect_tls(context, HOST) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        assert client.ask(get(host=HOST)).status == 200
        session = client.sock.session
    with (
        pytest.raises((ssl.SSLError, ConnectionError, EOFError)),
        guarded.door.connect_tls(context, CLOSED, session) as client,
    ):
        client.ask(get(host=CLOSED))
