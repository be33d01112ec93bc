"""A reply that comes before the request's end reaches a client that sends all of it before it reads: L2, L4."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import Client, chunk, message
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.scripts import ok

PIECE = b"x" * 2_000
LONG = 6.5  # seconds: longer than silence is borne
PACE = 0.1


def _upload(client: Client, chunked: bool, got: dict[str, int], name: str) -> None:
    pause = threading.Event()
    if chunked:
        client.send(chunk(b"x" * 300_000))
    for _ in range(int(LONG / PACE)):
        client.send(chunk(PIECE) if chunked else PIECE)
        pause.wait(PACE)
    got[name] = client.response("POST").status
    client.close()


def test_a_slow_upload_that_is_refused_at_its_beginning(tmp_path: Path, authority: Authority) -> None:
    # spec: L2, L4
    def refuse(peer: Peer) -> None:
        if peer.head().target != b"/refused":
            peer.wait_gone()
        peer.send(ok(b"no", "Connection: close", status="403 Forbidden"))
        peer.half_close()
        peer.wait_gone()

    got: dict[str, int] = {}
    with Instance(refuse) as instance:
        config = configure(
            instance.address,
            listen={"http": "127.0.0.1:0", "https": "127.0.0.1:0"},
            tls=tls_config(authority.issue("shop.example.com")),
            limits={"body": "200K"},
        )
        config["apps"]["shop"]["buffering"] = "off"
        with FrontDoor(config, tmp_path) as door:
            threads = []
            for scheme in ("http", "https"):
                for what, size in (("large", "9000000"), ("chunked", ""), ("refused", "150000")):
                    client = door.connect() if scheme == "http" else door.connect_tls(authority.context())
                    line = f"Content-Length: {size}" if size else "Transfer-Encoding: chunked"
                    client.send(message(f"POST /{what}", line))
                    arguments = (client, not size, got, f"{scheme} {what}")
                    threads.append(threading.Thread(target=_upload, args=arguments))
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(40)
    assert got == {
        f"{scheme} {what}": status
        for scheme in ("http", "https")
        for what, status in (("large", 413), ("chunked", 413), ("refused", 403))
    }
