"""What a trusted proxy says first, without a socket; tests/e2e/test_proxy_protocol.py has real connections."""

from __future__ import annotations

import logging

import pytest

from lb.http.proxy_protocol import Endpoints, proxy_header
from lb.proxy.client_info import ClientInfo
from lb.proxy.http1.preface import read_preface
from tests.proxy.exchange.fakes import Stage, staged

HEADER = proxy_header(2, Endpoints(b"203.0.113.7", 4711, b"198.51.100.9", 443))


class Cut:
    """A connection that can only be closed."""

    def __init__(self) -> None:
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


def read(stage: Stage, info: ClientInfo, data: bytes) -> tuple[int, bool]:
    """The size, and whether the connection was closed."""
    cut = Cut()
    return read_preface(stage.engine, info, cut, data), cut.aborted  # type: ignore[arg-type]


def test_the_client_is_known_when_the_header_is_whole() -> None:
    with staged() as stage:
        info = ClientInfo(stage.engine, b"http", b"10.0.0.1")
        before = info.key()
        assert read(stage, info, HEADER[:20]) == (0, False)
        assert info.address == b"10.0.0.1"
        assert read(stage, info, HEADER + b"GET /") == (len(HEADER), False)
        assert info.address == b"203.0.113.7"
        assert info.key() != before  # it is counted under its own address


def test_a_connection_of_the_proxys_own_stays_its_own() -> None:
    with staged() as stage:
        info = ClientInfo(stage.engine, b"http", b"10.0.0.1")
        header = proxy_header(1, None)
        assert read(stage, info, header) == (len(header), False)
        assert info.address == b"10.0.0.1"


def test_what_is_no_header_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    with staged() as stage, caplog.at_level(logging.WARNING, "lb.proxy"):
        info = ClientInfo(stage.engine, b"http", b"10.0.0.1")
        for _ in range(3):
            assert read(stage, info, b"GET / HTTP/1.1\r\n") == (0, True)
    lines = [record for record in caplog.records if "one of trusted_proxies, was closed" in record.getMessage()]
    assert len(lines) <= 1  # however many there are
