"""A client that is made to wait and breaks off is seen to leave at once, and not when its time is over."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path

from tests.e2e.harness.client import get, message
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.instance import Instance, Peer, reserve
from tests.e2e.harness.scripts import ok
from tests.e2e.harness.waiting import wait_for, wait_until_still

# spec: F3


def test_in_an_upload_that_the_instance_does_not_take(tmp_path: Path) -> None:
    release = threading.Event()

    def script(peer: Peer) -> None:
        peer.head()
        release.wait(30)
        peer.wait_gone()

    sock = reserve()
    with Instance(script, sock=sock) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        client = door.connect()
        client.send(message("POST /stuck", "Content-Length: 99999999"))
        sent = _send_until_stuck(client.sock)
        assert sent < 99999999
        client.reset()
        door.wait_log(target="/stuck", status=499)
        release.set()
        wait_for(lambda: instance.open_connections == 0, "the instance's connection to be closed")


def test_with_more_requests_than_are_read_ahead(tmp_path: Path) -> None:
    release = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        release.wait(30)
        peer.send(ok())

    with Instance(script) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        client = door.connect()
        client.send(get("/first") + get("/next" + "x" * 4000) * 20)
        instance.wait_requests(1)
        _send_until_stuck(client.sock)
        client.reset()
        door.wait_log(target="/first", status=499)
        release.set()


def _send_until_stuck(sock: socket.socket) -> int:
    """Send until nothing is taken any more; the bytes that were."""
    sent = 0
    sock.settimeout(0)

    def more() -> int:
        nonlocal sent
        with suppress(BlockingIOError):
            sent += sock.send(b"x" * 65536)
        return sent

    return wait_until_still(more, "the upload")


def test_with_half_a_body_before_the_instance_is_reached(tmp_path: Path) -> None:
    # The end of the client and that of the connecting come in one round, so the exchange ends while it begins to send.
    def script(peer: Peer) -> None:
        peer.wait_gone()

    with Instance(script) as instance, FrontDoor(configure(instance.address), tmp_path) as door:
        workers = door.workers
        for number in range(20):
            with door.connect() as client:
                client.send(message(f"POST /{number}", "Content-Length: 1000") + b"x" * 500)
                client.half_close()
                assert client.rest() == b""
        door.wait_log_where(lambda entries: len(entries) >= 20, "every one of them to be told of")
        assert door.workers == workers
