"""Instances that speak HTTPS: what is verified, how failures are named, sessions, checks, tunnels, and reloads."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness.certificates import Authority
from tests.e2e.harness.client import HOST, get, message, post
from tests.e2e.harness.door import Config, FrontDoor
from tests.e2e.harness.instance import Instance, Peer, Script, reserve
from tests.e2e.harness.scripts import Echo, answer, echo, ok
from tests.e2e.harness.waiting import wait_for
from tests.e2e.harness.wire import ByteStream

IPS = ("127.0.0.1", "::1", "localhost", "app.internal")


def serving(authority: Authority, *names: str, client_ca: str | None = None, **versions: Any) -> ssl.SSLContext:
    """A server's context with a certificate for these names."""
    certificate = authority.issue(*names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate["cert"], certificate["key"])
    for name, version in versions.items():
        setattr(context, name, version)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context


def over_tls(context: ssl.SSLContext, script: Script, names: list[str | None] | None = None) -> Script:
    """The same script on a TLS connection; `names` collects the server names that were asked for."""

    def noted(_side: ssl.SSLObject | ssl.SSLSocket, name: str | None, _context: ssl.SSLContext) -> None:
        if names is not None:
            names.append(name)

    context.sni_callback = noted

    def secured(peer: Peer) -> None:
        peer.sock = context.wrap_socket(peer.sock, server_side=True)
        peer.stream = ByteStream(peer.sock)
        script(peer)

    return secured


@contextmanager
def open_door(tmp_path: Path, *instances: str, **production: Any) -> Iterator[FrontDoor]:
    with FrontDoor(configured(*instances, **production), tmp_path) as door:
        yield door


def configured(*instances: str, **production: Any) -> Config:
    return {
        "listen": {"http": "127.0.0.1:0"},
        "workers": 1,
        "apps": {"shop": {"domains": [HOST], "production": {"instances": list(instances), **production}}},
    }


def https(instance: Instance, host: str = "127.0.0.1") -> str:
    return f"https://{host}:{instance.address.rpartition(':')[2]}"


@pytest.fixture
def root(authority: Authority) -> str:
    return authority.write_root("instances-root.pem")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_requests_go_over_tls(tmp_path: Path, authority: Authority, root: str, version: ssl.TLSVersion) -> None:
    # spec: T1
    context = serving(authority, *IPS, minimum_version=version, maximum_version=version)
    with (
        Instance(over_tls(context, echo())) as instance,
        open_door(tmp_path, https(instance), instance_tls={"ca": root}) as door,
        door.connect() as client,
    ):
        assert Echo(client.ask(get("/one"))).target == "/one"
        body = bytes(range(256)) * 4096
        assert Echo(client.ask(post("/two", body))).seen["length"] == len(body)
        assert Echo(client.ask(get("/three"))).target == "/three"
        assert instance.connections < 3  # they were kept
        assert door.wait_log(target="/one")["instance"] == https(instance)


def test_a_large_response_comes_whole(tmp_path: Path, authority: Authority, root: str) -> None:
    # spec: F3
    body = bytes(range(251)) * 20_000
    script = over_tls(serving(authority, *IPS), answer(ok(body)))
    with Instance(script) as instance, open_door(tmp_path, https(instance), instance_tls={"ca": root}) as door:
        assert door.ask(get("/")).body == body


def test_an_upgrade_becomes_a_tunnel(tmp_path: Path, authority: Authority, root: str) -> None:
    # spec: F4
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        while data := peer.stream.some():
            peer.send(data)

    with (
        Instance(over_tls(serving(authority, *IPS), script)) as instance,
        open_door(tmp_path, https(instance), instance_tls={"ca": root}) as door,
        door.connect() as client,
    ):
        client.send(get("/", "Connection: Upgrade", "Upgrade: echo"))
        assert client.response().status == 101
        for text in (b"one", b"two" * 50_000):
            client.send(text)
            assert client.stream.exactly(len(text)) == text


@pytest.mark.parametrize(
    ("host", "settings", "sent"),
    [
        ("localhost", {}, "localhost"),
        ("127.0.0.1", {}, None),
        ("127.0.0.1", {"server_name": "app.internal"}, "app.internal"),
        ("localhost", {"server_name": "wrong.internal", "verify": False}, "wrong.internal"),
    ],
)
def test_the_name_that_is_expected(
    tmp_path: Path, authority: Authority, root: str, host: str, settings: dict[str, Any], sent: str | None
) -> None:
    names: list[str | None] = []
    tls = settings if settings.get("verify") is False else {"ca": root, **settings}
    with (
        Instance(over_tls(serving(authority, *IPS), echo(), names)) as instance,
        open_door(tmp_path, https(instance, host), instance_tls=tls) as door,
    ):
        assert door.ask(get("/")).status == 200
    assert names == [sent]


@pytest.mark.parametrize(
    ("names", "settings", "detail"),
    [
        (IPS, {}, "unable to get local issuer certificate"),
        (("other.internal",), {"ca": "root"}, "ip address mismatch"),
        (IPS, {"ca": "root", "server_name": "other.internal"}, "hostname mismatch"),
    ],
)
def test_a_certificate_that_is_not_valid(
    tmp_path: Path, authority: Authority, root: str, names: tuple[str, ...], settings: dict[str, Any], detail: str
) -> None:
    # spec: E1, E3
    tls = {**settings, **({"ca": root} if "ca" in settings else {})}
    with (
        Instance(over_tls(serving(authority, *names), echo())) as instance,
        open_door(tmp_path, https(instance), instance_tls=tls) as door,
    ):
        response = door.ask(get("/"))
        entry = door.wait_log(status=502)
        assert (response.status, entry["cause"]) == (502, "tls_certificate_error")
        assert detail in entry["detail"]
        assert b"internal" not in response.body
        assert b"127.0.0.1" not in response.body
        wait_for(lambda: any("tls_certificate_error" in line for line in door.stderr), "the line about the instance")
    assert not instance.requests


def test_an_instance_without_tls_is_named(tmp_path: Path) -> None:
    # spec: E3
    def script(peer: Peer) -> None:
        peer.stream.some()
        peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with Instance(script) as instance, open_door(tmp_path, https(instance)) as door:
        assert door.ask(get("/")).status == 502
        entry = door.wait_log(status=502)
        assert (entry["cause"], entry["detail"]) == ("tls_protocol_error", "the instance does not speak TLS")


def test_an_instance_that_leaves_during_the_handshake(tmp_path: Path) -> None:
    # spec: E3
    def script(peer: Peer) -> None:
        peer.stream.some()

    with Instance(script) as instance, open_door(tmp_path, https(instance)) as door:
        assert door.ask(get("/")).status == 502
        assert door.wait_log(status=502)["cause"] == "connection_terminated"


def test_a_handshake_has_the_time_of_a_connection(tmp_path: Path) -> None:
    # spec: L3
    def script(peer: Peer) -> None:
        peer.wait_gone()

    with Instance(script) as instance, open_door(tmp_path, https(instance), timeouts={"connect": "300ms"}) as door:
        assert door.ask(get("/")).status == 504
        assert door.wait_log(status=504)["cause"] == "connection_timeout"


def test_another_instance_has_the_request(tmp_path: Path, authority: Authority, root: str) -> None:
    # spec: F2
    with ExitStack() as stack:
        wrong = stack.enter_context(Instance(over_tls(serving(authority, "other.internal"), echo("wrong"))))
        right = stack.enter_context(Instance(over_tls(serving(authority, *IPS), echo("right"))))
        door = stack.enter_context(open_door(tmp_path, https(wrong), https(right), instance_tls={"ca": root}))
        for _ in range(4):
            assert Echo(door.ask(post("/", b"body"))).instance == "right"
    assert not wrong.requests


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_clients_certificates(tmp_path: Path, authority: Authority, root: str, version: ssl.TLSVersion) -> None:
    # spec: E3
    context = serving(authority, *IPS, client_ca=root, minimum_version=version, maximum_version=version)
    ours = authority.issue("lb.internal")
    with Instance(over_tls(context, echo())) as instance:
        without = tmp_path / "without"
        without.mkdir()
        with open_door(without, https(instance), instance_tls={"ca": root}) as door:
            assert door.ask(get("/")).status == 502
            assert door.wait_log(status=502)["cause"] == "tls_alert_received"
        with open_door(tmp_path, https(instance), instance_tls={"ca": root, **ours}) as door:
            assert door.ask(get("/")).status == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed(tmp_path: Path, authority: Authority, root: str, version: ssl.TLSVersion) -> None:
    resumed: list[bool | None] = []

    def script(peer: Peer) -> None:
        resumed.append(peer.sock.session_reused)  # type: ignore[attr-defined]  # it is wrapped
        peer.request()
        peer.send(ok(b"ok", "Connection: close"))

    context = serving(authority, *IPS, minimum_version=version, maximum_version=version)
    with (
        Instance(over_tls(context, script)) as instance,
        open_door(tmp_path, https(instance), instance_tls={"ca": root}) as door,
    ):
        for _ in range(3):
            assert door.ask(get("/")).status == 200
    assert resumed == [False, True, True]


def test_checks_go_over_tls(tmp_path: Path, authority: Authority, root: str) -> None:
    # spec: A1
    with ExitStack() as stack:
        good = stack.enter_context(Instance(over_tls(serving(authority, *IPS), echo("good"))))
        bad = stack.enter_context(Instance(over_tls(serving(authority, "other.internal"), echo("bad"))))
        door = stack.enter_context(
            open_door(
                tmp_path, https(good), https(bad), instance_tls={"ca": root}, health_uri="/ok", health_interval="100ms"
            )
        )
        wait_for(lambda: any("certificate is not valid" in line for line in door.stderr), "the failed check")
        assert all(request.target == b"/ok" for request in good.wait_requests(2))
        assert Echo(door.ask(get("/"))).instance == "good"
        assert not bad.requests


def test_a_reload_with_other_settings_makes_new_connections(tmp_path: Path, authority: Authority, root: str) -> None:
    # spec: R2
    with (
        Instance(over_tls(serving(authority, "app.internal"), echo())) as instance,
        open_door(tmp_path, https(instance), instance_tls={"ca": root, "server_name": "app.internal"}) as door,
    ):
        assert Echo(door.ask(get("/"))).connection == 0
        door.reload(configured(https(instance), instance_tls={"ca": root, "server_name": "app.internal"}))
        assert Echo(door.ask(get("/"))).connection == 0  # the same settings: the connection stays
        door.reload(configured(https(instance), instance_tls={"ca": root}))
        assert door.ask(get("/")).status == 502


def test_ipv6_literals(tmp_path: Path, authority: Authority, root: str) -> None:
    with (
        Instance(over_tls(serving(authority, *IPS), echo()), sock=reserve("::1")) as instance,
        open_door(
            tmp_path, https(instance, "[::1]"), instance_tls={"ca": root}, health_checks=True, health_interval="100ms"
        ) as door,
    ):
        assert door.ask(get("/")).status == 200
        assert {request.fields for request in instance.wait_requests(2)}


# localhost


def both_ports(host: str) -> tuple[socket.socket, int]:
    """A socket at this loopback address whose port is free at the other one, too."""
    other = "127.0.0.1" if ":" in host else "::1"
    for _ in range(50):
        sock = reserve(host)
        port = sock.getsockname()[1]
        try:
            reserve(other, port).close()
        except OSError:
            sock.close()
        else:
            return sock, port
    raise AssertionError("no port is free on both loopback addresses")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("checks", [False, True])
def test_localhost_is_found_on_either_family(tmp_path: Path, host: str, checks: bool) -> None:
    sock, port = both_ports(host)
    settings: dict[str, Any] = {"health_checks": True, "health_interval": "100ms"} if checks else {}
    with Instance(echo(), sock=sock) as instance, open_door(tmp_path, f"localhost:{port}", **settings) as door:
        for _ in range(3):
            assert Echo(door.ask(get("/"))).connection >= 0
        assert door.ask(post("/", b"body")).status == 200
        if checks:
            instance.wait_requests(6)
            assert not any("unhealthy" in line for line in door.stderr)
        assert not any("passed over" in line for line in door.stderr)


def test_localhost_moves_from_one_family_to_the_other(tmp_path: Path) -> None:
    sock, port = both_ports("::1")
    with ExitStack() as stack:
        six = stack.enter_context(Instance(echo("six"), sock=sock))
        door = stack.enter_context(open_door(tmp_path, f"localhost:{port}", keep_alive=False))
        assert Echo(door.ask(get("/"))).instance == "six"
        four = stack.enter_context(Instance(echo("four"), sock=reserve("127.0.0.1", port)))
        six.stop()
        assert Echo(door.ask(post("/", b"x"))).instance == "four"
        four.stop()
        assert door.ask(get("/")).status == 502
        assert door.wait_log(status=502)["cause"] == "connection_refused"


def test_a_page_names_neither_address(tmp_path: Path) -> None:
    # spec: E2
    sock, port = both_ports("::1")
    with sock, open_door(tmp_path, f"localhost:{port}") as door:
        page = door.ask(message("GET /", "Accept: application/json", host=HOST)).body
        assert json.loads(page)
        assert b"::1" not in page
        assert b"127.0.0.1" not in page
