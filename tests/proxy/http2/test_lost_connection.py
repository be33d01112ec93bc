"""An HTTP/2 connection that breaks while a request is under way: nothing goes on watching it."""

from __future__ import annotations

from tests.e2e.harness.http2_raw import END_HEADERS, HEADERS, PREFACE, SETTINGS, block, frame
from tests.proxy.dialogue.stage import Stage


def test_a_lost_connection_has_no_deadline() -> None:
    stage = Stage(1, "http", {"listen": {"http": "127.0.0.1:0", "h2c": True}}, {"buffering": "off"})
    client = stage.client(1)
    fields = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "app.example")]
    client.line.come(PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, END_HEADERS, 1, block(fields)))
    stage.settle()
    assert stage.upstreams
    client.line.vanish()
    client.abort()
    stage.settle()
    assert client.closed
    assert client.slot == -1
    stage.leave()
