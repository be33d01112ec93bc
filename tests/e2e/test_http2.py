"""Requests over HTTP/2: what the app gets, what the client gets, and what a fault of one stream leaves alone."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import HOST, get
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.http2 import Http2Client, Stream, fields_of
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.scripts import describe, ok

PROTOCOL_ERROR, REFUSED_STREAM = 1, 7


CANNED = {
    b"/trailers": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n"
    ),
    b"/hints": b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" + ok(b"done"),
    b"/large": ok(b"x" * 3_000_000),
    b"/empty": b"HTTP/1.1 204 No Content\r\n\r\n",
}
CUT = {
    b"/close": (
        b"HTTP/1.1 200 OK\r\nConnection: close, x-secret\r\nX-Secret: 1\r\nKeep-Alive: timeout=5\r\n\r\nto the end"
    ),
    b"/half": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it",
}


def script(peer: Peer) -> None:
    """Does what the target says; everything else is echoed."""
    while True:
        request = peer.request()
        target = request.target.partition(b"?")[0]
        if target in CUT:
            peer.send(CUT[target])
            peer.close()
            return
        data = CANNED.get(target) or ok(describe(request, peer, "one"), "Content-Type: application/json")
        peer.send(data.partition(b"{")[0] if request.method == b"HEAD" else data)


@pytest.fixture(scope="module")
def instance() -> Iterator[Instance]:
    with Instance(script) as running:
        yield running


@pytest.fixture(scope="module")
def door(instance: Instance, tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[FrontDoor]:
    config = configure(
        instance.address,
        domains=(HOST, "other.example.com", "uncovered.example.net"),
        listen={"http": "127.0.0.1:0", "https": "127.0.0.1:0", "h2c": True, "protocols": ["h2", "http/1.1"]},
        tls=tls_config(authority.issue(HOST, "other.example.com")),
        timeouts={"read": "2s", "idle": "3s", "head": "2s"},
        limits={"body": "4MB"},
    )
    config["apps"]["shop"]["buffering"] = "off"  # bodies go on as they come
    with FrontDoor(config, tmp_path_factory.mktemp("door")) as running:
        yield running


@pytest.fixture
def client(door: FrontDoor) -> Iterator[Http2Client]:
    with Http2Client(("127.0.0.1", door.http)) as connected:
        yield connected


def secure(door: FrontDoor, authority: Authority, name: str = HOST) -> Http2Client:
    return Http2Client(("127.0.0.1", door.https), tls=authority.context(alpn=("h2", "http/1.1")), name=name)


def seen(stream: Stream) -> dict[str, object]:
    assert stream.status == 200, (stream.fields, bytes(stream.body))
    told: dict[str, object] = json.loads(stream.body)
    return told


def test_a_get_over_tls(door: FrontDoor, authority: Authority) -> None:
    with secure(door, authority) as client:
        assert client.sock.selected_alpn_protocol() == "h2"  # type: ignore[attr-defined]
        stream = client.ask("/over-tls?a=1", ("cookie", "a=1"), ("cookie", "b=2"), ("user-agent", "test"))
        told = seen(stream)
        fields = {key.lower(): value for key, value in told["fields"]}  # type: ignore[attr-defined]
        assert told["target"] == "/over-tls?a=1"
        assert told["version"] == "1.1"
        assert fields["host"] == HOST
        assert fields["cookie"] == "a=1; b=2"
        assert fields["x-forwarded-proto"] == "https"
        assert "connection" not in stream.fields
        assert "x-request-id" not in stream.fields or stream.fields["x-request-id"]
    entry = door.wait_log(target="/over-tls?a=1")
    assert entry["protocol"] == "HTTP/2"
    assert entry["status"] == 200
    assert entry["user_agent"] == "test"


def test_the_client_chooses_the_protocol(door: FrontDoor, authority: Authority) -> None:
    with door.connect_tls(authority.context(alpn=("http/1.1",))) as old:
        assert old.ask(get("/")).status == 200


def test_without_tls_by_prior_knowledge(client: Http2Client) -> None:
    assert seen(client.ask("/plain"))["target"] == "/plain"


def test_the_preface_in_pieces(door: FrontDoor) -> None:
    with door.connect() as raw:
        raw.send_bytewise(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        assert raw.stream.exactly(9)[3] == 4  # SETTINGS


def test_many_at_once_on_one_connection(client: Http2Client) -> None:
    streams = [client.get(f"/number/{number}") for number in range(80)]
    client.finish(*streams)
    assert [seen(stream)["target"] for stream in streams] == [f"/number/{number}" for number in range(80)]


def test_a_large_response(client: Http2Client) -> None:
    stream = client.ask("/large")
    assert len(stream.body) == 3_000_000
    assert stream.ended


def test_a_small_response_does_not_wait_for_large_ones(client: Http2Client) -> None:
    large = [client.get("/large") for _ in range(4)]
    small = client.get("/small")
    client.finish(small)
    assert not all(stream.over for stream in large)
    client.finish(*large)
    assert {len(stream.body) for stream in large} == {3_000_000}


def test_trailers_of_the_response(client: Http2Client) -> None:
    stream = client.ask("/trailers")
    assert bytes(stream.body) == b"abc"
    assert stream.trailers == {"x-sum": "6"}


def test_trailers_of_the_request(client: Http2Client) -> None:
    stream = client.post("/echo", b"12345", trailers=[("x-check", "9")])
    client.finish(stream)
    assert seen(stream)["trailers"] == [["x-check", "9"]]
    assert seen(stream)["length"] == 5


def test_interim_responses(client: Http2Client) -> None:
    stream = client.ask("/hints")
    assert [one[":status"] for one in stream.interim] == ["103"]
    assert bytes(stream.body) == b"done"


def test_expectations(client: Http2Client) -> None:
    stream = client.begin(
        fields_of("POST", "/expects", ("expect", "100-continue"), ("content-length", "3")), ended=False
    )
    client.read_until(lambda: stream.interim)
    client.send(stream, b"abc")
    client.finish(stream)
    assert seen(stream)["length"] == 3


def test_a_body_without_a_length_is_chunked(client: Http2Client, instance: Instance) -> None:
    stream = client.post("/chunks", b"y" * 100_000)
    client.finish(stream)
    assert seen(stream)["length"] == 100_000
    assert [one.framing for one in instance.requests if one.target == b"/chunks"] == ["chunked"]


def test_a_body_with_a_length(client: Http2Client, instance: Instance) -> None:
    stream = client.post("/length", b"y" * 1000, ("content-length", "1000"))
    client.finish(stream)
    assert seen(stream)["length"] == 1000
    assert [one.framing for one in instance.requests if one.target == b"/length"] == ["length"]


def test_an_empty_body(client: Http2Client) -> None:
    stream = client.post("/nothing", b"", ("content-length", "0"))
    client.finish(stream)
    assert seen(stream)["length"] == 0


@pytest.mark.parametrize(("length", "body"), [("3", b"abcd"), ("5", b"abcd")])
def test_a_body_of_another_length_than_told(client: Http2Client, length: str, body: bytes) -> None:
    stream = client.post("/wrong", body, ("content-length", length))
    client.finish(stream)
    assert stream.reset == PROTOCOL_ERROR
    assert client.ask("/after").status == 200


def test_head_and_responses_without_a_body(client: Http2Client) -> None:
    stream = client.ask("/head", method="HEAD")
    assert stream.status == 200
    assert not stream.body
    assert int(stream.fields["content-length"]) > 0
    assert client.ask("/empty").status == 204


def test_what_belongs_to_the_instances_connection_stays_there(client: Http2Client) -> None:
    stream = client.ask("/close")
    assert bytes(stream.body) == b"to the end"
    assert not {"connection", "keep-alive", "x-secret", "transfer-encoding"} & set(stream.fields)


def test_half_a_response_is_reset(client: Http2Client, door: FrontDoor) -> None:
    stream = client.get("/half")
    client.finish(stream)
    assert stream.reset is not None
    assert client.ask("/after-half").status == 200
    assert door.wait_log(target="/half")["cause"] == "http_response_incomplete"


def test_errors_of_ours_are_the_same(client: Http2Client) -> None:
    stream = client.ask("/", host="nobody.example.com")
    assert stream.status == 404
    assert "destination_not_found" in stream.fields["proxy-status"]
    assert client.ask("/").status == 200


def test_a_body_that_is_too_large(client: Http2Client) -> None:
    stream = client.begin(fields_of("POST", "/too-large", ("content-length", "5000000")), ended=False)
    client.finish(stream)
    assert stream.status == 413
    assert client.ask("/after-413").status == 200


def test_an_early_response_ends_the_upload(client: Http2Client) -> None:
    stream = client.begin(fields_of("POST", "/", host="nobody.example.com"), ended=False)
    client.read_until(lambda: stream.ended)
    assert stream.status == 404
    client.read_until(lambda: stream.reset is not None)
    assert stream.reset == 0
    assert client.ask("/after-early").status == 200


def test_a_name_that_the_certificate_does_not_cover(door: FrontDoor, authority: Authority) -> None:
    with secure(door, authority) as client:
        assert client.ask("/", host="uncovered.example.net").status == 421
        assert client.ask("/", host="other.example.com").status == 200


def test_a_client_that_resets_a_stream(client: Http2Client, door: FrontDoor) -> None:
    stream = client.begin(fields_of("POST", "/reset"), ended=False)
    client.h2.reset_stream(stream.number, 8)
    client.flush()
    assert door.wait_log(target="/reset")["cause"] == "client_closed_request"
    assert client.ask("/after-reset").status == 200


@pytest.mark.parametrize(
    "fields",
    [
        [*fields_of("GET", "/"), ("Upper", "1")],
        [*fields_of("GET", "/"), ("connection", "close")],
        [*fields_of("GET", "/"), ("transfer-encoding", "chunked")],
        [*fields_of("GET", "/"), ("te", "gzip")],
        [*fields_of("GET", "/"), ("host", "other.example.com")],
        [*fields_of("GET", "/"), ("a", "b\r\nX-Smuggled: 1")],
        [*fields_of("GET", "/"), (":late", "1")],
        [*fields_of("GET", "/"), (":path", "/twice")],
        [(":method", "GET"), (":scheme", "http"), (":path", ""), (":authority", HOST)],
    ],
)
def test_malformed_heads_end_their_stream(
    client: Http2Client, instance: Instance, fields: list[tuple[str, str]]
) -> None:
    before = len(instance.requests)
    stream = client.begin(fields)
    client.finish(stream)
    assert stream.reset == PROTOCOL_ERROR
    assert client.ask("/after-malformed").status == 200
    assert len(instance.requests) == before + 1


def test_a_request_without_a_host(client: Http2Client) -> None:
    stream = client.begin([(":method", "GET"), (":scheme", "http"), (":path", "/")])
    client.finish(stream)
    assert stream.status == 400


def test_connect_is_refused(client: Http2Client) -> None:
    stream = client.begin([(":method", "CONNECT"), (":authority", "shop.example.com:443")])
    client.finish(stream)
    assert stream.status == 501


def test_a_client_that_does_not_read_is_given_up(door: FrontDoor) -> None:
    """Its window stays shut: the stream ends, and the log says why."""
    with Http2Client(("127.0.0.1", door.http), credit=False) as client:
        client.get("/large?unread")
        assert client.read_until(lambda: any(stream.reset is not None for stream in client.streams.values()))
    assert door.wait_log(target="/large?unread")["cause"] == "client_stopped_reading"


def test_more_streams_than_allowed(door: FrontDoor) -> None:
    with Http2Client(("127.0.0.1", door.http)) as client:
        client.read_until(lambda: client.settings)
        assert client.settings[3] == 100
        client.h2.remote_settings[3] = 1000
        client.h2.remote_settings.acknowledge()
        streams = [client.begin(fields_of("POST", "/open"), ended=False) for _ in range(101)]
        client.finish(streams[-1])
        assert streams[-1].reset == REFUSED_STREAM
        assert not any(stream.over for stream in streams[:-1])


def test_an_idle_connection_is_told_before_it_is_closed(door: FrontDoor) -> None:
    with Http2Client(("127.0.0.1", door.http)) as client:
        client.ask("/")
        client.read_to_end()
        assert [code for code, _ in client.goaways] == [0]


def test_a_head_that_does_not_come(door: FrontDoor) -> None:
    """HEADERS without its CONTINUATION."""
    with Http2Client(("127.0.0.1", door.http)) as client:
        client.raw(b"\x00\x00\x01\x01\x01\x00\x00\x00\x01\x82")
        client.read_to_end()
        assert [code for code, _ in client.goaways] == [PROTOCOL_ERROR]


def test_the_client_learns_what_it_did(door: FrontDoor) -> None:
    with Http2Client(("127.0.0.1", door.http)) as client:
        client.ask("/")
        client.raw(b"\x00\x00\x05\x08\x00\x00\x00\x00\x00abcde")  # a WINDOW_UPDATE of five bytes
        client.read_to_end()
        assert [code for code, _ in client.goaways] == [6]


def test_compression(door: FrontDoor, instance: Instance) -> None:
    with Http2Client(("127.0.0.1", door.http)) as client:
        stream = client.ask("/compressed" + "?" + "z" * 1000, ("accept-encoding", "gzip"))
        assert stream.fields["content-encoding"] == "gzip"
        assert int(stream.fields["content-length"]) == len(stream.body)
    assert instance.requests


def test_curl(door: FrontDoor, authority: Authority, tmp_path: Path) -> None:
    upload = tmp_path / "upload"
    upload.write_bytes(b"u" * 3_000_000)
    url = f"https://{HOST}:{door.https}"
    common = [
        "curl",
        "--silent",
        "--show-error",
        "--http2",
        "--cacert",
        str(authority.write_root("root-for-curl.pem")),
        "--resolve",
    ]
    common += [f"{HOST}:{door.https}:127.0.0.1"]
    out = subprocess.run(
        [*common, "--data-binary", f"@{upload}", "-w", "\n%{http_version}", f"{url}/curl"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    body, _, version = out.stdout.rpartition("\n")
    assert version == "2"
    assert json.loads(body)["length"] == 3_000_000


def test_figures(door: FrontDoor, client: Http2Client) -> None:
    client.ask("/figures")
    entry = door.wait_log(target="/figures")
    assert (entry["scheme"], entry["protocol"]) == ("http", "HTTP/2")
