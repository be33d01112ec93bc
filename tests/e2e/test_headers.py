"""What the instance is told, and what passes unchanged: clauses H1, H3, H4, H5 and H6 (H2: test_cdn.py)."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.e2e.conftest import OpenStage
from tests.e2e.harness.client import Client, get, message, post
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.expect import assert_error, assert_logged, forwarded
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.scripts import Echo, echo, ok
from tests.e2e.harness.secure import Secure
from tests.e2e.harness.wire import Fields

OURS = {"x-real-ip", "x-forwarded-for", "x-forwarded-proto", "forwarded", "via", "x-request-id", "connection"}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontDoor]:
    """A front door on IPv4 and IPv6 with an echoing app on shop.example.com; no proxy is trusted."""
    with ExitStack() as stack:
        instance = stack.enter_context(Instance(echo()))
        listen = {"http": ["127.0.0.1:0", "[::1]:0"]}
        config = configure(instance.address, domains=("shop.example.com", "*.example.org"), listen=listen)
        yield stack.enter_context(FrontDoor(config, tmp_path_factory.mktemp("both")))


def test_the_client_is_described(both: FrontDoor) -> None:
    # spec: H1, H3
    seen = Echo(both.ask(get()))
    assert seen.one("x-real-ip") == "127.0.0.1"
    assert seen.one("x-forwarded-proto") == "http"
    assert seen.one("x-forwarded-for") == "127.0.0.1"
    assert forwarded(seen.one("forwarded")) == {"for": "127.0.0.1", "host": "shop.example.com", "proto": "http"}


def test_the_client_is_described_over_https(secure: Secure) -> None:
    # spec: H1
    with secure.connect() as client:
        seen = Echo(client.ask(get()))
    assert seen.one("x-forwarded-proto") == "https"
    assert forwarded(seen.one("forwarded"))["proto"] == "https"


def test_an_ipv6_client_is_described(both: FrontDoor) -> None:
    # spec: H1
    with Client(("::1", both.port("http", "[::1]"))) as client:
        seen = Echo(client.ask(get()))
    assert seen.one("x-real-ip") == "::1"
    assert seen.one("x-forwarded-for") == "::1"
    assert 'for="[::1]"' in seen.one("forwarded")
    assert both.wait_log(client="::1")


def test_a_host_with_a_port_is_quoted_in_forwarded(both: FrontDoor) -> None:
    # spec: H1; RFC 7239 section 4: a colon does not belong in a token
    seen = Echo(both.ask(get(host="shop.example.com:8080")))
    assert seen.one("host") == "shop.example.com:8080"
    assert 'host="shop.example.com:8080"' in seen.one("forwarded")


SPOOFED = (
    "X-Real-IP",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Server",
    "X-Forwarded-Anything-New",
    "Forwarded",
    "x-real-ip",
    "FORWARDED",
    "X_Real_IP",
    "X_Forwarded_For",
    "X-Forwarded_For",
    "X_FORWARDED-PROTO",
    "x_forwarded_host",
    "X_Forwarded_Anything",
)


@pytest.mark.parametrize("name", SPOOFED)
def test_what_a_client_claims_is_replaced_or_dropped(both: FrontDoor, name: str) -> None:
    # spec: H1, H3; attacks 20 and 22
    response = both.ask(get("/", f"{name}: 6.6.6.6", f"{name}: for=6.6.6.7;proto=https", "X-Kept: 1"))
    seen = Echo(response)
    assert "6.6.6" not in str(seen.fields)
    assert seen.one("x-kept") == "1"
    assert seen.one("x-real-ip") == seen.one("x-forwarded-for") == "127.0.0.1"
    assert seen.one("x-forwarded-proto") == "http"
    assert forwarded(seen.one("forwarded"))["for"] == "127.0.0.1"
    assert not [key for key, _ in seen.fields if "_" in key]


def test_trailers_cannot_stand_in_for_the_fields(both: FrontDoor) -> None:
    # spec: H3; attack 15
    names = [*SPOOFED, "Host", "Content-Length", "Transfer-Encoding", "Authorization", "Cookie", "Connection", "Via"]
    body = b"5\r\nhello\r\n0\r\n" + b"".join(f"{name}: 6.6.6.6\r\n".encode() for name in names) + b"\r\n"
    with both.connect() as client:
        client.send(message("POST /", "Transfer-Encoding: chunked", body=body))
        response = client.response()
    assert response.status == 200
    assert "6.6.6.6" not in response.body.decode()


@pytest.mark.parametrize(
    "line",
    [
        "Connection: X-Private, close",
        "Connection: close\r\nConnection: x-private",
        "Connection:X-PRIVATE",
        "Connection: ,, x-private ,",
    ],
)
def test_fields_that_connection_names_are_removed(both: FrontDoor, line: str) -> None:
    # spec: H4
    seen = Echo(both.ask(get("/", line, "X-Private: secret", "X-Public: 1")))
    assert not seen.all("x-private")
    assert seen.one("x-public") == "1"


@pytest.mark.parametrize(
    "line",
    [
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive",
        "TE: gzip",
        "Proxy-Authorization: Basic eA==",
        "Upgrade: h2c",
    ],
)
def test_hop_by_hop_fields_are_removed(both: FrontDoor, line: str) -> None:
    # spec: H4; RFC 9110 section 7.6.1
    name, value = line.split(": ")
    for nominated in ((), (f"Connection: {name}",)):
        assert value not in Echo(both.ask(get("/", line, *nominated))).all(name)


@pytest.mark.parametrize(
    ("name", "value"),
    [("Authorization", "Basic eHg="), ("Cookie", "a=b"), ("Host", "shop.example.com"), ("Content-Length", "5")],
)
def test_connection_cannot_remove_what_the_app_relies_on(both: FrontDoor, name: str, value: str) -> None:
    # spec: H4; attack 7
    lines = ["Authorization: Basic eHg=", "Cookie: a=b", f"Connection: {name.lower()}, keep-alive"]
    with both.connect() as client:
        seen = Echo(client.ask(post("/", b"hello", *lines)))
        assert seen.seen["length"] == 5
        assert seen.one(name) == value
        assert Echo(client.ask(get("/next"))).target == "/next"


@pytest.mark.parametrize(
    "name", ["X-Real-IP", "X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "Via", "X-Request-Id"]
)
def test_connection_cannot_remove_our_own_fields(both: FrontDoor, name: str) -> None:
    # spec: H4; attack 21
    seen = Echo(both.ask(get("/", f"Connection: close, {name}", f"{name}: 6.6.6.6")))
    if name == "Via":
        assert ", ".join(seen.all(name)).endswith("1.1 lb")
    elif name == "X-Request-Id":
        assert seen.one(name)
    else:
        assert "6.6.6.6" not in seen.one(name)


def test_hop_by_hop_fields_of_a_response_are_removed(stage: OpenStage) -> None:
    # spec: H4
    lines = (
        "Connection: keep-alive, X-Private",
        "X-Private: secret",
        "Keep-Alive: timeout=77",
        "Proxy-Connection: keep-alive",
        "X-Public: 1",
    )
    with stage(lambda peer: _answer_once(peer, ok(b"ok", *lines))) as on:
        response = on.door.ask(get(host=on.host))
    assert not response.has("x-private")
    assert not response.has("proxy-connection")
    assert b"timeout=77" not in response.all("keep-alive")
    assert response.one("x-public") == b"1"


def _answer_once(peer: Peer, data: bytes) -> None:
    peer.request()
    peer.send(data)
    peer.wait_gone()


@pytest.mark.parametrize("host", ["shop.example.com", "SHOP.Example.com", "shop.example.com.", "a.example.org:81"])
def test_host_goes_on_unchanged(both: FrontDoor, host: str) -> None:
    # spec: H5
    assert Echo(both.ask(get(host=host))).one("host") == host


def test_via_is_added(both: FrontDoor) -> None:
    # spec: H5
    assert Echo(both.ask(get())).all("via") == ["1.1 lb"]
    values = ", ".join(Echo(both.ask(get("/", "Via: 1.0 fred, 1.1 cdn (x)"))).all("via"))
    assert values == "1.0 fred, 1.1 cdn (x), 1.1 lb"


def test_via_names_the_version_that_was_received(both: FrontDoor) -> None:
    # spec: H5; RFC 9110 section 7.6.3: the version is that of the received message
    assert Echo(both.ask(message("GET / HTTP/1.0"))).all("via")[0] in {"1.0 lb", "1.1 lb"}


def test_a_loop_ends_with_508(tmp_path: Path) -> None:
    # spec: H5
    target: list[int] = []

    def script(peer: Peer) -> None:
        with socket.create_connection(("127.0.0.1", target[0]), 10) as onward:
            back = threading.Thread(target=_pump, args=(onward, peer.sock), daemon=True)
            back.start()
            _pump(peer.sock, onward)
            back.join(10)

    with Instance(script) as relay:
        with FrontDoor(configure(relay.address), tmp_path) as door:
            target.append(door.http)
            response = door.ask(get("/round"))
            assert_error(response, 508, "proxy_loop_detected")
            assert_logged(door, 508, "proxy_loop_detected", target="/round")
        assert relay.connections <= 20


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("value", ["abc-123", "0d9b3e6c-6b1f-4a6e-9c39-0a1b2c3d4e5f", "A" * 64])
def test_a_well_formed_request_id_is_kept(both: FrontDoor, value: str) -> None:
    # spec: H5
    assert Echo(both.ask(get("/kept-id", f"X-Request-Id: {value}"))).one("x-request-id") == value
    assert both.wait_log(request_id=value)


@pytest.mark.parametrize(
    "lines",
    [(), ("X-Request-Id: ",), ("X-Request-Id: a b",), ('X-Request-Id: "><x',), ("X-Request-Id: " + "a" * 2000,)],
)
def test_a_request_id_is_made_where_none_is_well_formed(both: FrontDoor, lines: tuple[str, ...]) -> None:
    # spec: H5
    made = [Echo(both.ask(get("/made-id", *lines))).one("x-request-id") for _ in range(2)]
    assert made[0] != made[1]
    for value in made:
        assert re.fullmatch(r"[0-9A-Za-z_-]{16,64}", value)
        assert both.wait_log(request_id=value)


def test_two_request_ids_become_one(both: FrontDoor) -> None:
    # spec: H5
    assert len(Echo(both.ask(get("/", "X-Request-Id: a", "X-Request-Id: b"))).all("x-request-id")) == 1


def test_trace_context_passes_untouched(both: FrontDoor) -> None:
    # spec: H5
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    seen = Echo(both.ask(get("/", f"traceparent: {parent}", "tracestate: a=b,c=d")))
    assert (seen.one("traceparent"), seen.one("tracestate")) == (parent, "a=b,c=d")


ODD_FIELDS: tuple[tuple[str, str], ...] = (
    ("X-First", "1"),
    ("x-lower", "a"),
    ("X-UPPER", "B"),
    ("X-First", "2"),
    ("!#$%&'*+-.^`|~9", "odd but a token"),
    ("X-Latin", "caf\xe9 \xff"),
    ("X-Empty", ""),
    ("X-Inner", "a  b\tc"),
    ("Accept", "text/html;q=0.1, */*"),
    ("Cookie", "a=b; c=d"),
    ("Cookie", "e=f"),
    ("User-Agent", "t\xe9st"),
    ("X-Comma", "a,,b ,"),
    ("Accept-Encoding", "br;q=1.0, gzip;q=0.0"),
    ("Range", "bytes=" + ",".join(f"{n}-{n}" for n in range(1000))),
)


def test_other_request_fields_pass_byte_for_byte_and_in_order(both: FrontDoor) -> None:
    # spec: H6; attack 28
    lines = [f"{name}: {value}" for name, value in ODD_FIELDS]
    seen = Echo(both.ask(get("/", *lines)))
    passed = [(name, value) for name, value in seen.fields if name.lower() not in OURS | {"host"}]
    assert passed == list(ODD_FIELDS)


def test_other_response_fields_pass_byte_for_byte_and_in_order(stage: OpenStage) -> None:
    # spec: H6
    sent: Fields = (
        (b"Date", b"Tue, 01 Jan 2030 00:00:00 GMT"),
        (b"Server", b"odd/1.0 (caf\xe9)"),
        (b"Set-Cookie", b"a=1; Path=/"),
        (b"set-cookie", b"b=2; Secure"),
        (b"X-Between", b"\xff\xfe"),
        (b"SET-COOKIE", b"c=3"),
        (b"WWW-Authenticate", b'Basic realm="x", Digest realm="y"'),
        (b"X-Empty", b""),
        (b"x_under_score", b"kept"),
        (b"Content-Length", b"2"),
        (b"ETag", b'"x"'),
        (b"Cache-Control", b"no-cache, no-cache"),
        (b"Vary", b"*"),
    )
    data = b"HTTP/1.1 200 Fine\xe9\r\n" + b"".join(b"%b: %b\r\n" % field for field in sent) + b"\r\nok"
    with stage(lambda peer: _answer_once(peer, data)) as on:
        response = on.door.ask(get(host=on.host))
    passed = [field for field in response.fields if field[0].lower() not in {b"connection", b"x-request-id"}]
    assert tuple(passed) == sent
    assert response.reason == b"Fine\xe9"


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/?",
        "/a?b=c?d",
        "/caf%C3%A9?x=%00",
        "/a/../b",
        "/a/%2e%2e/x",
        "//a//b",
        "/a%2fb",
        "/a;b=c",
        "/a|b{c}^`",
        '/a"b<c>',
        "/%zz",
        "/*",
        "/a\\b",
        "/a%5cb",
    ],
)
def test_the_target_passes_byte_for_byte(both: FrontDoor, target: str) -> None:
    # spec: H6; attack 25
    assert Echo(both.ask(get(target))).target == target


def test_methods_pass(both: FrontDoor) -> None:
    # spec: H6
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "get", "M-SEARCH", "X" * 32):
        assert Echo(both.ask(message(f"{method} /"))).method == method


def test_options_for_the_whole_server_passes(both: FrontDoor) -> None:
    # spec: H6; RFC 9112 section 3.2.4
    assert Echo(both.ask(message("OPTIONS *"))).target == "*"


def test_an_added_field_is_added_once_on_every_request_of_a_connection(both: FrontDoor) -> None:
    # spec: H1, H5
    with both.connect() as client:
        for _ in range(5):
            seen = Echo(client.ask(get("/", "X-Forwarded-For: 6.6.6.6")))
            assert [len(seen.all(name)) for name in ("x-forwarded-for", "x-real-ip", "forwarded", "via")] == [1] * 4
