"""What a snapshot says of itself."""

from __future__ import annotations

from ipaddress import ip_network

from lb.http.head import Limits
from lb.routing.networks import Networks
from lb.routing.snapshot import Snapshot
from lb.routing.table import RouteTable


def test_only_a_trusted_address_speaks_for_its_clients() -> None:
    # spec: H2
    snapshot = Snapshot(RouteTable({}), Limits(), lambda _: None, Networks([ip_network("10.0.0.0/8")]))
    assert snapshot.trusts(b"10.1.2.3")
    assert not snapshot.trusts(b"192.0.2.1")
    assert not snapshot.trusts(b"::1")


def test_without_a_configuration_nothing_is_bounded_for_one_client_and_no_handshake_waits() -> None:
    snapshot = Snapshot(RouteTable({}), Limits(), lambda _: None, Networks(()))
    assert (snapshot.client_pace, snapshot.client_connections, snapshot.max_held) == (None, 0, 0)
    assert snapshot.https_port is None
