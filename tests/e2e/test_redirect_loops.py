"""An app that redirects each URL to itself, as Django does that was not told about HTTPS: who hears of it."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import HOST, get
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.metrics import metric
from tests.e2e.harness.waiting import wait_for


def as_django(peer: Peer) -> None:
    """SECURE_SSL_REDIRECT without SECURE_PROXY_SSL_HEADER: every request is one in plain HTTP."""
    while True:
        request = peer.request()
        location = b"https://" + HOST.encode() + request.target
        peer.send(b"HTTP/1.1 301 Moved Permanently\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n")


def test_a_loop_is_named_by_the_log_and_the_metrics(tmp_path: Path, authority: Authority) -> None:
    # spec: E3, O1
    with Instance(as_django) as instance:
        config = configure(
            instance.address,
            listen={"https": "127.0.0.1:0"},
            admin="127.0.0.1:0",
            tls=tls_config(authority.issue(HOST)),
        )
        with FrontDoor(config, tmp_path) as door, door.connect_tls(authority.context()) as client:
            for _ in range(6):
                assert client.ask(get("/cart?a=1")).status == 301
            wait_for(lambda: any("redirects /cart?a=1 to itself" in line for line in list(door.stderr)), "the line")
            wait_for(lambda: metric(door, "lb_redirects_to_self_total") == 6, "the figure")
    assert sum("to itself" in line for line in door.stderr) == 1
