"""Forward auth: what an authentication service is asked, what its answer leads to, and what happens without one."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from tests.e2e.harness.client import get, message, post
from tests.e2e.harness.door import FrontDoor
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.scripts import Echo, echo, ok
from tests.e2e.harness.waiting import wait_for
from tests.e2e.harness.wire import Request

HOST = "shop.example.com"


def one(request: Request, name: str) -> bytes:
    values = [value for key, value in request.fields if key.lower() == name.encode()]
    assert len(values) == 1, (name, request.fields)
    return values[0]


def judge(peer: Peer) -> None:
    """Answers as the request's X-Forwarded-Uri says."""
    while True:
        request = peer.request()
        uri = one(request, "x-forwarded-uri").partition(b"?")[0].rpartition(b"/")[2]
        match uri:
            case b"in":
                peer.send(ok(b"fine", "Remote-User: alice", "Remote-Groups: a,b", "Remote-Groups: c", "X-Other: 1"))
            case b"anonymous":
                peer.send(b"HTTP/1.1 204 No Content\r\n\r\n")
            case b"chunked":
                peer.send(
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nRemote-User: bob\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
                )
            case b"closed":
                peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nRemote-User: carol\r\n\r\n")
                peer.half_close()
                peer.wait_gone()
                return
            case b"login":
                peer.send(
                    ok(
                        b"go there",
                        "Location: https://login.example.com/?rd=x",
                        "Set-Cookie: a=1",
                        "Set-Cookie: b=2",
                        "Connection: keep-alive",
                        status="302 Found",
                    )
                )
            case b"json":
                peer.send(ok(b'{"no": 1}', "Content-Type: application/json", status="403 Forbidden"))
            case b"page":
                peer.send(ok(b"<p>no", "Content-Type: text/html", status="403 Forbidden"))
            case b"ask":
                peer.send(ok(b"who?", 'WWW-Authenticate: Basic realm="x"', status="401 Unauthorized"))
            case b"broken":
                peer.send(ok(b"oh", status="500 Internal Server Error"))
            case b"garbage":
                peer.send(b"what?\r\n\r\n")
            case b"long":
                peer.send(ok(b"x" * 300_000, status="403 Forbidden"))
            case b"switch":
                peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
            case b"half":
                peer.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nhal")
                peer.half_close()
                peer.wait_gone()
                return
            case b"gone":
                peer.close()
                return
            case b"early":
                peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok(b"", "Remote-User: dave"))
            case _:
                peer.wait_gone()
                return


class Guarded:
    """A front door whose `/private/` is guarded by `judge`."""

    def __init__(self, stack: ExitStack, directory: Any) -> None:
        self.judge = stack.enter_context(Instance(judge))
        self.shop = stack.enter_context(Instance(echo("shop")))
        (directory / "sorry.html").write_text("<h1>Sorry</h1>")
        copied = ["Remote-User", "Remote-Groups"]
        port = self.judge.address.rpartition(":")[2]
        forward = {"url": f"http://{self.judge.address}/verify?x=1", "copy": copied, "timeout": "500ms"}
        config: dict[str, Any] = {
            "listen": {"http": "127.0.0.1:0"},
            "workers": 1,
            "apps": {
                "shop": {
                    "domains": [HOST],
                    "production": {"instances": [self.shop.address]},
                    "routes": [
                        {"path": "/private/", "forward_auth": forward},
                        {"path": "/named/", "forward_auth": f"http://localhost:{port}/"},
                        {"path": "/down/", "forward_auth": "http://127.0.0.1:1/"},
                        {"path": "/nameless/", "forward_auth": "http://nobody.invalid:9000/"},
                        {"path": "/moved/", "forward_auth": forward, "redirect": "/new"},
                        {"path": "/pages/", "forward_auth": forward, "errors": {403: str(directory / "sorry.html")}},
                        {"path": "/shared/", "forward_auth": forward, "cors": {"origins": ["https://a.example"]}},
                    ],
                }
            },
        }
        self.door = stack.enter_context(FrontDoor(config, directory))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with ExitStack() as stack:
        yield Guarded(stack, tmp_path_factory.mktemp("forward"))


def asked(guarded: Guarded, path: str, *lines: str) -> Any:
    return guarded.door.ask(get(path, *lines, host=HOST))


def test_consent_lets_it_pass_with_the_copied_fields(guarded: Guarded) -> None:
    # spec: P3
    echoed = Echo(asked(guarded, "/private/in?a=b", "Remote-User: mallory", "X-Mine: 1"))
    assert echoed.target == "/private/in?a=b"
    assert echoed.all("remote-user") == ["alice"]
    assert echoed.all("remote-groups") == ["a,b", "c"]
    assert echoed.one("x-mine") == "1"
    assert echoed.all("x-other") == []


@pytest.mark.parametrize("name", ["Remote-User", "remote-user", "Remote_User", "REMOTE_USER", "Remote-Groups"])
def test_a_clients_own_of_these_names_never_passes(guarded: Guarded, name: str) -> None:
    # spec: P3
    echoed = Echo(asked(guarded, "/private/anonymous", f"{name}: mallory"))
    assert not any("mallory" in value for _, value in echoed.fields)
    request = guarded.judge.requests[-1]
    assert not any(b"mallory" in value for _, value in request.fields)


@pytest.mark.parametrize(
    ("path", "user"), [("chunked", "bob"), ("closed", "carol"), ("early", "dave"), ("in", "alice")]
)
def test_every_framing_of_an_answer_is_read(guarded: Guarded, path: str, user: str) -> None:
    assert Echo(asked(guarded, f"/private/{path}")).one("remote-user") == user


def test_the_service_is_told_what_cannot_be_forged(guarded: Guarded) -> None:
    # spec: H3
    body = b"x" * 70_000
    lines = (
        "Cookie: session=1",
        "Authorization: Bearer t",
        "If-None-Match: *",
        "Range: bytes=0-1",
        "X-Forwarded-Uri: /public",
        "X-Original-URL: http://shop.example.com/public",
        "X_Original_URI: /public",
        "X-Rewrite-URL: /public",
        "X-Forwarded-For: 192.0.2.1",
        "X-Request-Id: abcdef0123456789",
    )
    data = message("POST /private/in?q", f"Content-Length: {len(body)}", *lines, body=body, host=HOST)
    assert Echo(guarded.door.ask(data)).seen["length"] == len(body)
    request = guarded.judge.requests[-1]
    assert (request.method, request.target, request.body) == (b"GET", b"/verify?x=1", b"")
    expected = {
        "host": guarded.judge.address,
        "x-forwarded-method": "POST",
        "x-forwarded-host": HOST,
        "x-forwarded-proto": "http",
        "x-forwarded-uri": "/private/in?q",
        "x-forwarded-for": "127.0.0.1",
        "x-real-ip": "127.0.0.1",
        "x-original-url": f"http://{HOST}/private/in?q",
        "x-original-uri": "/private/in?q",
        "x-original-method": "POST",
        "x-request-id": "abcdef0123456789",
        "cookie": "session=1",
        "authorization": "Bearer t",
    }
    assert {name: one(request, name).decode() for name in expected} == expected
    names = {key.lower().replace(b"_", b"-") for key, _ in request.fields}
    assert not names & {b"if-none-match", b"range", b"content-length", b"x-rewrite-url"}
    assert not any(b"/public" in value for _, value in request.fields)


def test_a_refusal_is_the_clients_answer(guarded: Guarded) -> None:
    before = len(guarded.shop.requests)
    response = asked(guarded, "/private/login")
    assert (response.status, response.body) == (302, b"go there")
    assert response.one("location") == b"https://login.example.com/?rd=x"
    assert response.all("set-cookie") == [b"a=1", b"b=2"]
    assert len(response.all("x-request-id")) == 1
    response = asked(guarded, "/private/ask")
    assert (response.status, response.body, response.one("www-authenticate")) == (401, b"who?", b'Basic realm="x"')
    response = guarded.door.ask(message("HEAD /private/ask", host=HOST))
    assert (response.status, response.body) == (401, b"")
    assert len(guarded.shop.requests) == before
    entry = guarded.door.wait_log(target="/private/ask", cause="forward_auth_denied")
    assert (entry["status"], entry["instance"]) == (401, None)


@pytest.mark.parametrize(
    ("target", "status", "cause"),
    [
        ("/private/garbage", 502, "forward_auth_error"),
        ("/private/long", 502, "forward_auth_error"),
        ("/private/switch", 502, "forward_auth_error"),
        ("/private/half", 502, "forward_auth_error"),
        ("/private/gone", 503, "forward_auth_unavailable"),
        ("/private/never", 504, "forward_auth_timeout"),
        ("/down/in", 503, "forward_auth_unavailable"),
        ("/nameless/in", 503, "forward_auth_unavailable"),
        ("/moved/never", 504, "forward_auth_timeout"),
    ],
)
def test_without_an_answer_nobody_passes(guarded: Guarded, target: str, status: int, cause: str) -> None:
    # spec: E1, E3
    before = len(guarded.shop.requests)
    response = asked(guarded, target)
    assert response.status == status
    assert cause.encode() in response.one("proxy-status")
    assert b"127.0.0.1" not in response.body
    assert len(guarded.shop.requests) == before
    guarded.door.wait_log(target=target, cause=cause)


def test_a_service_that_fails_lets_nobody_pass(guarded: Guarded) -> None:
    response = asked(guarded, "/private/broken")
    assert (response.status, response.body) == (500, b"oh")
    guarded.door.wait_log(target="/private/broken", cause="forward_auth_error")


@pytest.mark.parametrize("target", ["/%70rivate/ask", "//private/ask", "/x/..%2fprivate/ask", "/private/./ask"])
def test_no_spelling_gets_round_it(guarded: Guarded, target: str) -> None:
    # spec: P3
    assert asked(guarded, target).status == 401


def test_a_spelling_that_passes_brings_the_copied_fields(guarded: Guarded) -> None:
    # spec: P3
    echoed = Echo(asked(guarded, "/%70rivate/in", "Remote_User: mallory"))
    assert (echoed.target, echoed.all("remote-user"), echoed.all("remote_user")) == ("/%70rivate/in", ["alice"], [])


def test_names_and_both_families_are_tried(guarded: Guarded) -> None:
    for _ in range(3):
        assert Echo(asked(guarded, "/named/in")).target == "/named/in"


def test_it_stands_before_a_redirect(guarded: Guarded) -> None:
    assert asked(guarded, "/moved/ask").status == 401
    assert asked(guarded, "/moved/in").status == 301


def test_pages_and_cors_hold_for_its_answers_too(guarded: Guarded) -> None:
    assert asked(guarded, "/pages/page", "Accept: text/html").body == b"<h1>Sorry</h1>"
    assert asked(guarded, "/pages/json", "Accept: text/html").body == b'{"no": 1}'
    response = asked(guarded, "/shared/ask", "Origin: https://a.example")
    assert (response.status, response.one("access-control-allow-origin")) == (401, b"https://a.example")


def test_connections_to_it_are_used_again_and_replaced(guarded: Guarded) -> None:
    assert asked(guarded, "/private/in").status == 200
    made = len(guarded.judge.peers)
    for _ in range(5):
        assert asked(guarded, "/private/in").status == 200
    assert len(guarded.judge.peers) == made
    for peer in guarded.judge.peers:  # it closes what is idle
        with contextlib.suppress(OSError):  # or has done so already
            peer.sock.shutdown(socket.SHUT_RDWR)
    assert asked(guarded, "/private/in").status == 200


def test_many_ask_over_a_bounded_number_of_connections(guarded: Guarded) -> None:
    # spec: L5
    before = len(guarded.judge.peers)
    with ThreadPoolExecutor(100) as pool:
        statuses = list(pool.map(lambda _: asked(guarded, "/private/in").status, range(200)))
    assert statuses == [200] * 200
    assert len(guarded.judge.peers) - before <= 64


def test_a_client_that_leaves_lets_the_service_go(guarded: Guarded) -> None:
    # spec: F3
    client = guarded.door.connect()
    client.send(get("/private/never?left", host=HOST))
    wait_for(lambda: any(b"never?left" in one(r, "x-forwarded-uri") for r in guarded.judge.requests), "the question")
    client.close()
    guarded.door.wait_log(target="/private/never?left", cause="client_closed_request")


def test_a_pipelined_request_waits_for_its_turn(guarded: Guarded) -> None:
    with guarded.door.connect() as client:
        client.send(get("/private/in?1", host=HOST) + get("/private/login", host=HOST) + post("/a", b"x", host=HOST))
        assert [client.response().status for _ in range(3)] == [200, 302, 200]
