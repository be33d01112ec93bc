"""Figures of TLS on the metrics page: handshakes, resumed sessions, certificates. Clauses T4 and T5."""

from __future__ import annotations

import ssl
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import HOST, Client, get
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.scripts import echo
from tests.e2e.harness.waiting import wait_for

LOCAL = "app.localhost"


def figures(door: FrontDoor) -> dict[tuple[str, str], float]:
    """By metric and the value of its `name` label."""
    with Client(("127.0.0.1", door.port("admin"))) as client:
        page = client.ask(get("/metrics", host="localhost")).body.decode()
    return {
        (sample.name, sample.labels.get("name", "")): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def handshakes(door: FrontDoor) -> tuple[float, float]:
    found = figures(door)
    return found["lb_tls_handshakes_total", ""], found["lb_tls_resumed_total", ""]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_handshakes_and_resumed_sessions_are_counted_over_all_workers(
    tmp_path: Path, authority: Authority, version: ssl.TLSVersion
) -> None:
    # spec: T4
    with Instance(echo()) as instance:
        config = configure(
            instance.address,
            listen={"https": "127.0.0.1:0"},
            workers=2,
            admin="127.0.0.1:0",
            tls=tls_config(authority.issue(HOST)),
        )
        with FrontDoor(config, tmp_path) as door:
            context = authority.context()
            context.minimum_version = context.maximum_version = version
            full = resumed = 0
            for _ in range(8):
                with door.connect_tls(context, HOST) as first:
                    assert first.ask(get()).status == 200  # a ticket of TLS 1.3 comes with it
                    assert isinstance(first.sock, ssl.SSLSocket)
                    session = first.sock.session
                    full += 1
                with door.connect_tls(context, HOST, session) as second:
                    assert second.ask(get()).status == 200
                    assert isinstance(second.sock, ssl.SSLSocket)
                    assert second.sock.session_reused
                    resumed += 1
            wait_for(lambda: handshakes(door) == (full + resumed, resumed), "the figures", 10.0)


def test_certificates_have_figures(tmp_path: Path, authority: Authority) -> None:
    # spec: T5
    config = configure(
        "127.0.0.1:1",
        domains=(HOST, LOCAL),
        listen={"https": "127.0.0.1:0"},
        admin="127.0.0.1:0",
        tls={"store": str(tmp_path / "store"), **tls_config(authority.issue(HOST))},
    )
    with FrontDoor(config, tmp_path) as door:
        metric = "lb_certificate_not_after_timestamp_seconds"
        wait_for(lambda: figures(door).get((metric, LOCAL), 0) > time.time() + 6 * 86400, "the local one")
        assert figures(door)[metric, HOST] > time.time()
