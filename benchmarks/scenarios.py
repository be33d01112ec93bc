"""The scenarios, as data: what every proxy has to do. measure.py measures it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

MB = 1_000_000
_FILE_SERVERS = ("lb", "nginx")
_ALL = ("lb", "nginx", "haproxy", "caddy")


class Kind(Enum):
    """How the load is generated."""

    KEEPALIVE = "64 keep-alive connections, as fast as answers come"
    SPREAD = "the same, every request for another of the bound domains"
    TRANSFER = "a fixed number of large bodies over 4 connections"
    CONNECT = "a new connection for every request"
    RATE = "a constant rate, 70 % of the highest throughput that this proxy reached just before"
    IDLE = "2,000 connections that made one request each and stay open"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the table. `upload` is the body of each request in bytes, `tls` a session mode of the load
    generator.
    """

    name: str
    title: str
    kind: Kind = Kind.KEEPALIVE
    path: str = "/small"
    scheme: str = "http"
    gzip: bool = False
    upload: int = 0
    transfers: int = 0
    tls: str = ""
    domains: int = 1
    instances: int = 2
    routes: int = 0
    peers: tuple[str, ...] = _ALL
    against_itself: bool = False
    fallback: bool = False

    @property
    def unit(self) -> str:
        return "KiB" if self.kind is Kind.IDLE else "µs"


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("small", "small response"),
    Scenario("small-tls", "small response, TLS", scheme="https"),
    Scenario("gzip-20k", "gzip, 20 KB of HTML", path="/html/20480", gzip=True),
    Scenario("gzip-100k", "gzip, 100 KB of HTML", path="/html/102400", gzip=True),
    Scenario("body-20k", "body of 20 KB", path="/bytes/20480"),
    Scenario("body-100k", "body of 100 KB", path="/bytes/102400"),
    Scenario("body-1m", "body of 1 MB", path=f"/bytes/{MB}"),
    Scenario("body-100m", "body of 100 MB", Kind.TRANSFER, path=f"/bytes/{100 * MB}", transfers=24),
    Scenario("body-1m-tls", "body of 1 MB, TLS", path=f"/bytes/{MB}", scheme="https"),
    Scenario("upload-100m", "upload of 100 MB", Kind.TRANSFER, upload=100 * MB, transfers=40),
    Scenario("file-1k", "file of 1 KiB", path="/files/1k.bin", peers=_FILE_SERVERS),
    Scenario("file-100k", "file of 100 KiB", path="/files/100k.bin", peers=_FILE_SERVERS),
    Scenario(
        "file-gzip", "compressed sibling of 100 KB of HTML", path="/files/page.html", gzip=True, peers=_FILE_SERVERS
    ),
    Scenario("file-10m", "file of 10 MiB", Kind.TRANSFER, path="/files/10m.bin", transfers=200, peers=_FILE_SERVERS),
    Scenario("file-1k-tls", "file of 1 KiB, TLS", path="/files/1k.bin", scheme="https", peers=_FILE_SERVERS),
    Scenario("file-100k-tls", "file of 100 KiB, TLS", path="/files/100k.bin", scheme="https", peers=_FILE_SERVERS),
    Scenario(
        "file-10m-tls",
        "file of 10 MiB, TLS",
        Kind.TRANSFER,
        path="/files/10m.bin",
        scheme="https",
        transfers=60,
        tls="full",
        peers=_FILE_SERVERS,
    ),
    Scenario("connect", "new connection a request", Kind.CONNECT),
    Scenario("handshake", "full TLS 1.3 handshake a request", Kind.CONNECT, scheme="https", tls="full"),
    Scenario("resumed", "resumed TLS 1.3 handshake a request", Kind.CONNECT, scheme="https", tls="resumed"),
    Scenario("idle", "memory of an idle connection", Kind.IDLE),
    Scenario("idle-tls", "memory of an idle connection, TLS", Kind.IDLE, scheme="https", tls="full"),
    Scenario("p99", "latency at 70 % of saturation", Kind.RATE),
    Scenario(
        "domains-10k", "10,000 domains against 1", Kind.SPREAD, domains=10_000, peers=("lb",), against_itself=True
    ),
    Scenario("instances-100", "100 instances against 2", instances=100, peers=("lb",), against_itself=True),
    Scenario("routes-10", "a matching route among 10", routes=10, peers=("lb",), against_itself=True),
    Scenario("routes-1000", "a matching route among 1,000", routes=1000, peers=("lb",), against_itself=True),
    Scenario("small-uncompiled", "small response, uncompiled engine", peers=("lb", "nginx", "haproxy"), fallback=True),
)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
