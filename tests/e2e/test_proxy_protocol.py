"""The PROXY protocol: what trusted proxies say before a connection, and what instances are told."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from lb.http.proxy_protocol import Endpoints, proxy_header, read_proxy_header
from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import HOST, Client, get
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.metrics import metric
from tests.e2e.harness.scripts import Echo, describe, echo, ok
from tests.e2e.harness.waiting import wait_for
from tests.e2e.harness.wire import ByteStream

ENDS = Endpoints(b"203.0.113.7", 4711, b"198.51.100.9", 443)
SIX = Endpoints(b"2001:db8::7", 4711, b"2001:db8::9", 443)
V1 = proxy_header(1, ENDS)
V2 = proxy_header(2, ENDS)
SIGNATURE = V2[:12]
WITH_TLVS = V2[:14] + struct.pack(">H", 12 + 303) + V2[16:] + b"\x04" + struct.pack(">H", 300) + bytes(300)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[FrontDoor]:
    """127.0.0.0/8 are trusted proxies, ::1 is a client."""
    with ExitStack() as stack:
        instance = stack.enter_context(Instance(echo()))
        config = configure(
            instance.address,
            listen={"http": ["127.0.0.1:0", "[::1]:0"], "https": "127.0.0.1:0", "proxy_protocol": True},
            trusted_proxies="127.0.0.0/8",
            tls=tls_config(authority.issue(HOST)),
            timeouts={"handshake": "1s"},
            limits={"client_connections": 3},
            admin="127.0.0.1:0",
        )
        yield stack.enter_context(FrontDoor(config, tmp_path_factory.mktemp("introduced")))


def introduced(door: FrontDoor, header: bytes, scheme: str = "http") -> Client:
    client = Client(("127.0.0.1", door.port(scheme)))
    client.sock.sendall(header)
    return client


def secured(client: Client, authority: Authority) -> Client:
    client.sock = authority.context().wrap_socket(client.sock, server_hostname=HOST)
    client.stream = ByteStream(client.sock)
    return client


@pytest.mark.parametrize(
    ("header", "address"),
    [
        (V1, "203.0.113.7"),
        (V2, "203.0.113.7"),
        (WITH_TLVS, "203.0.113.7"),
        (proxy_header(1, SIX), "2001:db8::7"),
        (proxy_header(2, SIX), "2001:db8::7"),
        (proxy_header(1, None), "127.0.0.1"),
        (proxy_header(2, None), "127.0.0.1"),
        (b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", "127.0.0.1"),
    ],
)
def test_the_client_is_the_one_that_the_header_names(door: FrontDoor, header: bytes, address: str) -> None:
    # spec: H1
    with introduced(door, header) as client:
        seen = [Echo(client.ask(get("/", "X-Forwarded-For: 6.6.6.6"))) for _ in range(2)]
    for one in seen:
        assert one.one("x-real-ip") == one.one("x-forwarded-for") == address


@pytest.mark.parametrize("header", [V1, V2])
def test_the_handshake_follows_the_header(door: FrontDoor, authority: Authority, header: bytes) -> None:
    with secured(introduced(door, header, "https"), authority) as client:
        seen = Echo(client.ask(get("/tls")))
        assert (seen.one("x-real-ip"), seen.one("x-forwarded-proto")) == ("203.0.113.7", "https")
        assert client.ask(get("/again")).status == 200
    assert door.wait_log(target="/tls")["client"] == "203.0.113.7"


@pytest.mark.parametrize("header", [V1, V2, WITH_TLVS])
@pytest.mark.parametrize("secure", [False, True])
def test_a_header_may_come_byte_by_byte(door: FrontDoor, authority: Authority, header: bytes, secure: bool) -> None:
    with Client(("127.0.0.1", door.https if secure else door.http)) as client:
        for index in range(len(header)):
            client.sock.sendall(header[index : index + 1])
        if secure:
            secured(client, authority)
        assert Echo(client.ask(get("/"))).one("x-real-ip") == "203.0.113.7"


def test_a_header_and_a_request_may_come_at_once(door: FrontDoor) -> None:
    with introduced(door, V2 + get("/one") + get("/two")) as client:
        assert [Echo(client.response()).target for _ in range(2)] == ["/one", "/two"]


@pytest.mark.parametrize(
    "data",
    [
        get("/"),
        b"\x16\x03\x01\x02\x00\x01\x00",
        V1[:-2] + b"\n" + get("/"),
        b"PROXY TCP4 203.0.113.7 198.51.100.9 4711\r\n" + get("/"),
        SIGNATURE + b"\x11\x11\x00\x0c" + bytes(12) + get("/"),
        SIGNATURE + b"\x21\x11\xff\xff" + get("/"),
        b"PROXY " + b"a" * 200,
    ],
)
@pytest.mark.parametrize("secure", [False, True])
def test_a_trusted_proxy_without_a_header_is_cut_off(door: FrontDoor, data: bytes, secure: bool) -> None:
    before = _refused(door)
    with Client(("127.0.0.1", door.https if secure else door.http)) as client:
        client.sock.sendall(data)
        assert client.stream.rest() == b""
    wait_for(lambda: _refused(door) > before, "the refusal to be counted")


def _refused(door: FrontDoor) -> int:
    return metric(door, 'lb_errors_total{cause="proxy_header_invalid"}')


def test_the_log_says_who_sent_none(door: FrontDoor) -> None:
    with introduced(door, get("/")) as client:
        assert client.stream.rest() == b""
    wait_for(lambda: any("127.0.0.1, one of trusted_proxies, was closed" in line for line in door.stderr), "the line")


@pytest.mark.parametrize("data", [b"", V1[:20], V2[:5]])
def test_a_header_has_a_time_limit(door: FrontDoor, data: bytes) -> None:
    # spec: L4
    with introduced(door, data) as client:
        assert client.stream.rest() == b""


@pytest.mark.parametrize("data", [b"", V1[:20], V2[:5]])
def test_a_proxy_that_leaves_early_is_let_go(door: FrontDoor, data: bytes) -> None:
    with introduced(door, data) as client:
        client.sock.shutdown(socket.SHUT_WR)
        assert client.stream.rest() == b""


def test_nobody_else_may_send_one(door: FrontDoor) -> None:
    # spec: H3
    with Client(("::1", door.port("http", "[::1]"))) as client:
        assert Echo(client.ask(get("/"))).one("x-real-ip") == "::1"
    with Client(("::1", door.port("http", "[::1]"))) as client:
        client.sock.sendall(V1 + get("/"))
        assert client.response().status == 400


def test_connections_are_counted_by_the_client(door: FrontDoor) -> None:
    # spec: L5
    header = proxy_header(1, Endpoints(b"203.0.113.99", 1, b"198.51.100.9", 80))
    with ExitStack() as stack:
        for _ in range(3):
            assert stack.enter_context(introduced(door, header)).ask(get("/")).status == 200
        assert stack.enter_context(introduced(door, header)).ask(get("/")).status == 429
        assert stack.enter_context(introduced(door, V1)).ask(get("/")).status == 200


# What instances are told


def reading_a_header(peer: Peer) -> None:
    """Reads one PROXY header, then serves as `echo` does; the header is in the answer's X-Header."""
    while (header := read_proxy_header(peer.stream.pending)) is None:
        if not peer.stream.fill():
            return
    ends = header.endpoints
    peer.stream.exactly(header.size)
    told = f"{ends.client.decode()} {ends.client_port} {ends.server_port}" if ends is not None else "none"
    while True:
        request = peer.request()
        peer.send(ok(describe(request, peer, "one"), f"X-Header: {told}"))


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_instances_get_a_header(tmp_path: Any, version: str) -> None:
    with ExitStack() as stack:
        instance = stack.enter_context(Instance(reading_a_header))
        config = configure(
            listen={"http": ["127.0.0.1:0", "[::1]:0"]},
            trusted_proxies="127.0.0.0/8",
            apps={
                "shop": {
                    "domains": [HOST, {"name": "named.example.com", "client_from": "forwarded"}],
                    "production": {
                        "instances": [instance.address],
                        "send_proxy": version,
                        "health_checks": True,
                        "health_interval": "100ms",
                    },
                }
            },
        )
        door = stack.enter_context(FrontDoor(config, tmp_path))
        for _ in range(2):
            with door.connect() as client:
                port = client.sock.getsockname()[1]
                for _ in range(2):  # each request has a connection of its own: the header names one client
                    response = client.ask(get("/"))
                    assert response.one("x-header").decode() == f"127.0.0.1 {port} {door.http}"
                    assert Echo(response).one("connection") == "close"
        with Client(("::1", door.port("http", "[::1]"))) as client:
            port = client.sock.getsockname()[1]
            assert client.ask(get("/")).one("x-header").decode().split()[:2] == ["::1", str(port)]
        named = door.ask(get("/", "X-Forwarded-For: 203.0.113.7", host="named.example.com"))
        assert named.one("x-header").decode().split()[:2] == ["203.0.113.7", "0"]
        wait_for(lambda: any(b"lb-health" in bytes(peer.stream.record) for peer in instance.peers), "a check")
        assert door.ask(get("/")).status == 200


def test_what_came_in_goes_out(tmp_path: Any) -> None:
    with ExitStack() as stack:
        instance = stack.enter_context(Instance(reading_a_header))
        config = configure(
            listen={"http": "127.0.0.1:0", "proxy_protocol": True},
            trusted_proxies="private",
            apps={"shop": {"domains": [HOST], "production": {"instances": [instance.address], "send_proxy": "v2"}}},
        )
        door = stack.enter_context(FrontDoor(config, tmp_path))
        with introduced(door, V2) as client:
            assert client.ask(get("/")).one("x-header") == b"203.0.113.7 4711 443"
        with introduced(door, proxy_header(2, None)) as client:
            port = client.sock.getsockname()[1]
            assert client.ask(get("/")).one("x-header").decode() == f"127.0.0.1 {port} {door.http}"


def test_a_header_comes_before_tls_to_an_instance(tmp_path: Any, authority: Authority) -> None:
    certificate = authority.issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate["cert"], certificate["key"])

    def script(peer: Peer) -> None:
        size = len(proxy_header(2, Endpoints(b"127.0.0.1", 0, b"127.0.0.1", 0)))
        header = read_proxy_header(peer.sock.recv(size, socket.MSG_WAITALL))
        assert header is not None
        peer.sock = context.wrap_socket(peer.sock, server_side=True)
        peer.stream = ByteStream(peer.sock)
        peer.request()
        peer.send(ok(b"told" if header.endpoints is not None else b"none"))

    with ExitStack() as stack:
        stack.enter_context(instance := Instance(script))
        port = instance.address.rpartition(":")[2]
        production = {
            "instances": [f"https://localhost:{port}"],
            "instance_tls": {"ca": authority.write_root("header-root.pem")},
            "send_proxy": "v2",
        }
        config = configure(apps={"shop": {"domains": [HOST], "production": production}})
        door = stack.enter_context(FrontDoor(config, tmp_path))
        assert door.ask(get("/")).body == b"told"
