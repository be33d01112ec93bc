"""Request bodies that are collected before an instance is chosen: what an app gets, and what holds an instance."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from tests.e2e.conftest import OpenStage
from tests.e2e.harness.client import chunk, message
from tests.e2e.harness.door import configure
from tests.e2e.harness.instance import Peer
from tests.e2e.harness.scripts import ok

MIB = 1 << 20


def digesting(peer: Peer) -> None:
    """Say how the body was framed, its size and its digest."""
    while True:
        request = peer.request()
        seen = {
            "framing": request.framing,
            "size": len(request.body),
            "sha256": hashlib.sha256(request.body).hexdigest(),
            "fields": [name.decode() for name in request.names],
        }
        peer.send(ok(json.dumps(seen).encode()))


def buffering(mode: str, *instances: str, **top: Any) -> dict[str, Any]:
    config = configure(*instances, **top)
    config["apps"]["shop"]["buffering"] = mode
    return config


def block(size: int) -> bytes:
    return (bytes(range(256)) * (size // 256 + 1))[:size]


# spec: F6
@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 3 * MIB])
def test_a_chunked_body_reaches_the_app_with_a_length(stage: OpenStage, size: int) -> None:
    body = block(size)
    with stage(digesting) as on, on.connect() as client:
        for _ in range(2):
            client.send(message("POST /", "Transfer-Encoding: chunked", "Trailer: Sum", host=on.host))
            for at in range(0, size, 100_000):
                client.send(chunk(body[at : at + 100_000]))
            client.send(b"0\r\nSum: 1\r\n\r\n")
            seen = json.loads(client.response().body)
            assert (seen["framing"], seen["size"]) == ("length", size)
            assert seen["sha256"] == hashlib.sha256(body).hexdigest()
            assert "trailer" not in seen["fields"]
