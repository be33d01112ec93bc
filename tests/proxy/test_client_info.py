"""Who asks: what an app is told about a client, and what a client is counted under."""

from __future__ import annotations

from ipaddress import ip_network
from typing import cast

import pytest

from lb.http.head import Limits, RequestHead
from lb.http.scan import scan_request
from lb.proxy.client_info import ClientInfo
from lb.proxy.engine import Engine
from lb.routing.environment import Environment
from lb.routing.networks import Networks
from lb.routing.policy import Policy
from lb.routing.route import Route
from tests.proxy.exchange.fakes import Stage, staged
from tests.routing.instances import make


def read(*lines: str, host: str = "app.example") -> RequestHead:
    head = scan_request("\r\n".join(("GET / HTTP/1.1", f"Host: {host}", *lines, "", "")).encode(), Limits())
    assert head is not None
    return head


def route(*, cdn: bool = False) -> Route:
    made = Route(Environment("app", "production", make(1), Policy()), 0)
    made.cdn = made.proxied = cdn
    return made


def trusting(stage: Stage) -> Engine:
    stage.engine.snapshot.trusted = Networks([ip_network("10.0.0.0/8")])
    return stage.engine


# spec: H1, H2
def test_what_an_app_is_told() -> None:
    with staged() as stage:
        info = ClientInfo(stage.engine, b"https", b"192.0.2.1")
        fields = info.forwarded(route(), read("X-Forwarded-For: 203.0.113.9"))
        assert b"X-Forwarded-For: 192.0.2.1\r\n" in fields
        assert b"Forwarded: for=192.0.2.1;host=app.example;proto=https\r\n" in fields
        assert info.forwarded(route(), read()) is fields  # made once for a host
        assert b"host=b.example;" in info.forwarded(route(), read(host="b.example"))


# spec: H2
@pytest.mark.parametrize(("cdn", "chain"), [(True, b"203.0.113.9, 10.0.0.1"), (False, b"10.0.0.1")])
def test_only_a_cdn_that_was_asked_for_speaks_for_its_clients(cdn: bool, chain: bytes) -> None:
    with staged() as stage:
        info = ClientInfo(trusting(stage), b"http", b"10.0.0.1")
        fields = info.forwarded(route(cdn=cdn), read("X-Forwarded-For: 203.0.113.9"))
        assert b"X-Forwarded-For: " + chain + b"\r\n" in fields


# spec: L5
def test_connections_of_one_client_are_counted_until_they_end() -> None:
    with staged() as stage:
        stage.engine.snapshot.client_connections = 2
        clients = [ClientInfo(stage.engine, b"http", b"192.0.2.1") for _ in range(3)]
        assert [client.may_connect() for client in clients] == [True, True, False]
        clients[2].disconnected()  # was not counted
        assert not ClientInfo(stage.engine, b"http", b"192.0.2.1").may_connect()
        clients[0].disconnected()
        assert ClientInfo(stage.engine, b"http", b"192.0.2.1").may_connect()
        assert ClientInfo(stage.engine, b"http", b"192.0.2.2").may_connect()


# spec: L5
def test_trusted_proxies_are_not_counted() -> None:
    with staged() as stage:
        trusting(stage).snapshot.client_connections = 1
        assert all(ClientInfo(stage.engine, b"http", b"10.0.0.1").may_connect() for _ in range(3))


class Side:
    """The TLS side of a connection, as far as it is asked."""

    client_auth = None

    def __init__(self, *names: str) -> None:
        self.certificate = self
        self.names = names

    def covers(self, host: str) -> bool:
        return host in self.names


# spec: D5
def test_what_the_presented_certificate_is_good_for() -> None:
    with staged() as stage:
        info = ClientInfo(stage.engine, b"https", b"192.0.2.1")
        assert info.covers(b"anything")
        info.secured(cast("object", Side("a.example", "b.example")))  # type: ignore[arg-type]
        assert info.covers(b"a.example")
        assert info.covers(b"b.example:443")
        assert not info.covers(b"c.example")


def test_plain_http_where_tls_was_to_be_is_plain_http() -> None:
    with staged() as stage:
        info = ClientInfo(stage.engine, b"https", b"192.0.2.1")
        assert info.secure
        info.unsecured()
        assert (info.scheme, info.secure) == (b"http", False)
