"""The usual scripts of an instance. A test with a story of its own writes its own function."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from tests.e2e.harness.instance import Peer, Script
from tests.e2e.harness.wire import Request, Response


def ok(body: bytes = b"ok", *lines: str, status: str = "200 OK") -> bytes:
    """A complete response with Content-Length."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def echo(name: str = "one") -> Script:
    """Answers every request with what it saw of it, as JSON."""

    def script(peer: Peer) -> None:
        while True:
            request = peer.request()
            data = ok(describe(request, peer, name), "Content-Type: application/json")
            peer.send(data.partition(b"{")[0] if request.method == b"HEAD" else data)

    return script


def describe(request: Request, peer: Peer, name: str) -> bytes:
    seen = {
        "instance": name,
        "connection": peer.number,
        "method": request.method.decode("latin-1"),
        "target": request.target.decode("latin-1"),
        "version": request.version.decode("latin-1"),
        "fields": [[key.decode("latin-1"), value.decode("latin-1")] for key, value in request.fields],
        "length": len(request.body),
        "sha256": hashlib.sha256(request.body).hexdigest(),
        "trailers": [[key.decode("latin-1"), value.decode("latin-1")] for key, value in request.trailers],
    }
    return json.dumps(seen).encode()


class Echo:
    """What an echoing instance saw of one request, read from its answer."""

    def __init__(self, response: Response) -> None:
        assert response.status == 200, (response.status, response.fields, response.body[:500])
        self.seen: dict[str, Any] = json.loads(response.body)
        self.instance: str = self.seen["instance"]
        self.method: str = self.seen["method"]
        self.target: str = self.seen["target"]
        self.connection: int = self.seen["connection"]
        self.fields: list[tuple[str, str]] = [(key, value) for key, value in self.seen["fields"]]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def one(self, name: str) -> str:
        values = self.all(name)
        assert len(values) == 1, f"{name} occurs {len(values)} times in {self.fields}"
        return values[0]


def answer(*responses: bytes) -> Script:
    """Answers the requests of a connection one after the other, the last response for ever."""

    def script(peer: Peer) -> None:
        turn = 0
        while True:
            peer.request()
            peer.send(responses[min(turn, len(responses) - 1)])
            turn += 1

    return script


def answer_and_close(response: bytes) -> Script:
    """Answers one request a connection and closes it."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(response)
        peer.half_close()
        peer.wait_gone()

    return script


def reply(handler: Callable[[Request], bytes]) -> Script:
    """Answers every request by what `handler` makes of it."""

    def script(peer: Peer) -> None:
        while True:
            peer.send(handler(peer.request()))

    return script


def hang(peer: Peer) -> None:
    """Reads one request and never answers."""
    peer.request()
    peer.wait_gone()


def close_unanswered(peer: Peer) -> None:
    """Reads one request and closes."""
    peer.request()


def reset_unanswered(peer: Peer) -> None:
    peer.request()
    peer.reset()
