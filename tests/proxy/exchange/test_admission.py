"""Which route a request goes, and whether it may go at all."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, cast

import pytest

from lb.errors import ProxyError
from lb.http.forwarding import MAX_PASSES
from lb.http.head import Limits, RequestHead
from lb.http.scan import scan_request
from lb.proxy.client_info import ClientInfo
from lb.proxy.exchange.admission import admit, find_route, origin
from lb.routing.networks import Networks
from lb.routing.rate_limit import RateLimit
from lb.routing.route import Route
from tests.proxy.exchange.fakes import Stage, staged


def read(*lines: str, host: str = "app.example") -> RequestHead:
    head = scan_request("\r\n".join(("GET / HTTP/1.1", f"Host: {host}", *lines, "", "")).encode(), Limits())
    assert head is not None
    return head


def asks(stage: Stage, address: bytes = b"192.0.2.1", scheme: bytes = b"http") -> ClientInfo:
    return ClientInfo(stage.engine, scheme, address)


def route_of(stage: Stage) -> Route:
    found = stage.engine.snapshot.table.find(b"app.example")
    assert found is not None
    return found


def refused(action: Any, *arguments: Any) -> str:
    with pytest.raises(ProxyError) as caught:
        action(*arguments)
    return caught.value.cause.code


# spec: D2
def test_the_route_of_the_host() -> None:
    with staged() as stage:
        assert find_route(asks(stage), read(), stage.engine.snapshot).environment.app == b"app"


# spec: L5
def test_one_that_asks_too_often_is_told_when_to_come_again() -> None:
    with staged() as stage:
        snapshot = stage.engine.snapshot
        snapshot.client_pace = RateLimit(30.0, 1)
        find_route(asks(stage), read(), snapshot)
        with pytest.raises(ProxyError) as caught:
            find_route(asks(stage), read(), snapshot)
        assert (caught.value.cause.code, caught.value.retry_after) == ("client_rate_limit_reached", 30)
        find_route(asks(stage, b"192.0.2.2"), read(), snapshot)  # another client


@dataclass
class Side:
    """The TLS side of a connection, as far as it is asked."""

    name: str
    client_auth: bytes | None = None

    @property
    def certificate(self) -> Side:
        return self

    def covers(self, host: str) -> bool:
        return host == self.name

    def getpeercert(self, _binary: bool) -> bytes:
        return b"DER"


def secured(stage: Stage, side: Side) -> ClientInfo:
    info = asks(stage, scheme=b"https")
    info.secured(cast("Any", side))
    return info


# spec: D5
def test_a_name_that_the_presented_certificate_does_not_have_is_misdirected() -> None:
    with staged() as stage:
        snapshot = stage.engine.snapshot
        assert refused(find_route, secured(stage, Side("b.example")), read(), snapshot) == "misdirected_request"
        find_route(secured(stage, Side("app.example")), read(), snapshot)


# spec: D5
def test_a_domain_with_client_certificates_wants_a_connection_that_was_verified_for_it() -> None:
    with staged() as stage:
        route = route_of(stage)
        route.client_auth = b"app.example"
        assert refused(admit, asks(stage), read(), route) == "client_certificate_required"
        other = secured(stage, Side("app.example", b"b.example"))
        assert refused(admit, other, read(), route) == "misdirected_request"
        admit(secured(stage, Side("app.example", b"app.example")), read(), route)
        route.client_auth = None


# spec: H5
@pytest.mark.parametrize(("passes", "admitted"), [(MAX_PASSES - 1, True), (MAX_PASSES, False)])
def test_a_request_may_pass_a_few_times(passes: int, admitted: bool) -> None:
    with staged() as stage:
        head = read("Via: " + ", ".join(["1.1 lb"] * passes))
        if admitted:
            admit(asks(stage), head, route_of(stage))
        else:
            assert refused(admit, asks(stage), head, route_of(stage)) == "proxy_loop_detected"


# spec: H2
@pytest.mark.parametrize(
    ("cdn", "address", "expected"),
    [(True, b"10.0.0.1", b"203.0.113.9"), (False, b"10.0.0.1", b"10.0.0.1"), (True, b"192.0.2.1", b"192.0.2.1")],
)
def test_the_address_that_a_request_comes_from(cdn: bool, address: bytes, expected: bytes) -> None:
    with staged() as stage:
        snapshot = stage.engine.snapshot
        snapshot.trusted = Networks([ip_network("10.0.0.0/8")])
        route = route_of(stage)
        route.cdn = route.proxied = cdn
        head = read("X-Forwarded-For: 198.51.100.1, 203.0.113.9")
        assert origin(asks(stage, address), head, route, snapshot) == expected
        route.cdn = route.proxied = False
