"""What one client may do at once and in a second, over all workers: 429, Retry-After, and who is exempt."""

from __future__ import annotations

import os
import signal
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import HOST, Client, get
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.expect import assert_error, assert_logged
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.metrics import metric
from tests.e2e.harness.scripts import echo
from tests.e2e.harness.waiting import wait_for

# spec: L5

CDN = "cdn.example.com"
CHALLENGE = "/.well-known/acme-challenge/unknown"


@contextmanager
def _limited(directory: Path, limits: dict[str, Any], **top: Any) -> Iterator[FrontDoor]:
    with ExitStack() as stack:
        instance = stack.enter_context(Instance(echo()))
        config = configure(
            instance.address,
            **{
                "domains": (HOST, {"name": CDN, "cdn": True}),
                "listen": {"http": ["127.0.0.1:0", "[::1]:0"]},
                "admin": "127.0.0.1:0",
                "limits": limits,
                **top,
            },
        )
        yield stack.enter_context(FrontDoor(config, directory))


def _six(door: FrontDoor) -> Client:
    return Client(("::1", door.port("http", "[::1]")))


def _statuses(door: FrontDoor, count: int, *lines: str, host: str = HOST, target: str = "/") -> Counter[int]:
    """The answers to so many requests, each on a connection of its own, so on whatever worker it comes to."""
    return Counter(door.ask(get(target, *lines, host=host)).status for _ in range(count))


@pytest.mark.parametrize("workers", [1, 3])
def test_so_many_at_once_and_no_more_whatever_the_worker(tmp_path: Path, workers: int) -> None:
    # spec: E1
    with _limited(tmp_path, {"client_rate": "10/h"}, workers=workers) as door:
        assert _statuses(door, 30) == {200: 10, 429: 20}
        response = door.ask(get("/late"))
        assert_error(response, 429, "client_rate_limit_reached")
        assert 300 <= int(response.one("retry-after")) <= 360
        assert_logged(door, 429, "client_rate_limit_reached", target="/late", client="127.0.0.1")
        wait_for(lambda: metric(door, 'lb_errors_total{cause="client_rate_limit_reached"}') == 21, "it to be counted")
        with _six(door) as other:  # another client
            assert other.ask(get()).status == 200


def test_who_waits_as_long_as_retry_after_says_is_served(tmp_path: Path) -> None:
    with _limited(tmp_path, {"client_rate": "1/s", "client_burst": 2}, workers=2) as door, door.connect() as client:
        answers = [client.ask(get()) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        assert answers[2].one("retry-after") == b"1"
        time.sleep(1)  # what the client was told to do
        assert [client.ask(get()).status for _ in range(2)] == [200, 429]


def test_a_refused_client_keeps_its_connection(tmp_path: Path) -> None:
    # spec: F4
    with _limited(tmp_path, {"client_rate": "3/h"}) as door, door.connect() as client:
        client.send(get() * 6)
        assert [client.response().status for _ in range(6)] == [200, 200, 200, 429, 429, 429]
        assert client.is_open()


def test_nobody_can_go_round_it(tmp_path: Path) -> None:
    # spec: H3: other names, and a word about oneself, change nothing
    with _limited(tmp_path, {"client_rate": "4/h"}, trusted_proxies="192.0.2.0/24") as door:
        said = ("X-Forwarded-For: 203.0.113.7", "Forwarded: for=203.0.113.7", "X-Real-IP: 203.0.113.7")
        assert _statuses(door, 2, host="nobody.example") == {404: 2}
        assert _statuses(door, 2, *said, host=CDN) == {200: 2}
        assert _statuses(door, 2, *said, host=CDN) == {429: 2}
        assert _statuses(door, 2, host="nobody.example") == {429: 2}


def test_the_reserved_path_is_never_limited(tmp_path: Path) -> None:
    # spec: T6
    with _limited(tmp_path, {"client_rate": "1/h"}) as door:
        assert _statuses(door, 5, target=CHALLENGE) == {404: 5}
        assert _statuses(door, 2) == {200: 1, 429: 1}
        assert _statuses(door, 5, target=CHALLENGE) == {404: 5}
        assert _statuses(door, 1, target="/%2ewell-known/acme-challenge/x") == {404: 1}


def test_behind_a_trusted_cdn_the_client_is_who_it_names(tmp_path: Path) -> None:
    # spec: H2
    limits = {"client_rate": "2/h", "client_connections": 1}
    with _limited(tmp_path, limits, workers=2, trusted_proxies="127.0.0.0/8") as door, ExitStack() as stack:
        cdn = [stack.enter_context(door.connect()) for _ in range(4)]  # the CDN has as many connections as it likes

        def ask(*lines: str, host: str = CDN) -> list[int]:
            return [client.ask(get("/", *lines, host=host)).status for client in cdn]

        assert ask("X-Forwarded-For: 203.0.113.7") == [200, 200, 429, 429]
        assert ask("X-Forwarded-For: 6.6.6.6, 203.0.113.7, 127.9.9.9") == [429] * 4
        assert ask("X-Forwarded-For: 203.0.113.8") == [200, 200, 429, 429]
        assert ask("X-Forwarded-For: 2001:db8:1:1::1") == [200, 200, 429, 429]
        assert ask("X-Forwarded-For: 2001:db8:1:1::2") == [429] * 4  # the same /64
        assert ask("X-Forwarded-For: 2001:db8:1:2::1") == [200, 200, 429, 429]
        assert ask() == [200] * 4  # it names nobody
        assert ask("X-Forwarded-For: 203.0.113.9", host=HOST) == [200, 200, 429, 429]  # not behind it: it is the client
        with _six(door) as plain:
            assert plain.ask(get()).status == 200
            with _six(door) as second:
                assert_error(second.response(), 429, "client_connection_limit_reached")


@pytest.mark.parametrize("workers", [1, 3])
def test_connections_at_once_whatever_the_worker(tmp_path: Path, workers: int) -> None:
    # spec: E1
    with _limited(tmp_path, {"client_connections": 5}, workers=workers) as door, ExitStack() as stack:
        clients = []
        for _ in range(5):
            client = stack.enter_context(door.connect())
            assert client.ask(get()).status == 200  # so it was accepted, and counted
            clients.append(client)
        for _ in range(4):
            with door.connect() as late:
                late.send_quietly(get("/late"))
                response = late.response()
                assert_error(response, 429, "client_connection_limit_reached")
                assert response.one("retry-after") == b"1"
                assert late.rest() == b""
        assert_logged(door, 429, "client_connection_limit_reached", client="127.0.0.1")
        cause = 'lb_errors_total{cause="client_connection_limit_reached"}'
        wait_for(lambda: metric(door, cause) == 4, "it to be counted")
        with _six(door) as other:
            assert other.ask(get()).status == 200
        assert [client.ask(get()).status for client in clients] == [200] * 5
        for client in clients[:2]:
            client.close()
        wait_for(lambda: _accepted(door), "room for a new connection")


def _accepted(door: FrontDoor) -> bool:
    with door.connect() as client:
        client.send_quietly(get())
        return client.response().status == 200


def test_what_a_worker_had_counted_goes_with_it(tmp_path: Path) -> None:
    # spec: R3
    with _limited(tmp_path, {"client_connections": 3}) as door, ExitStack() as stack:
        for _ in range(3):
            assert stack.enter_context(door.connect()).ask(get()).status == 200
        assert not _accepted(door)
        (worker,) = door.workers[:1]
        os.kill(worker, signal.SIGKILL)
        wait_for(lambda: worker not in door.workers, "the worker to be gone")
        assert _accepted(door)


def test_both_hold_over_tls(tmp_path: Path, authority: Authority) -> None:
    limits = {"client_connections": 2, "client_rate": "4/h"}
    tls = {"listen": {"https": "127.0.0.1:0"}, "tls": tls_config(authority.issue(HOST))}
    context = authority.context()
    with _limited(tmp_path, limits, workers=2, **tls) as door, ExitStack() as stack:
        clients = [stack.enter_context(door.connect_tls(context)) for _ in range(2)]
        assert [client.ask(get()).status for client in clients] == [200, 200]
        with pytest.raises((ConnectionError, ssl.SSLError)):  # no handshake is made to say no
            door.connect_tls(context)
        assert [client.ask(get()).status for client in clients * 2] == [200, 200, 429, 429]
        cause = 'lb_errors_total{cause="client_connection_limit_reached"}'
        wait_for(lambda: metric(door, cause) == 1, "it to be counted")


def test_without_a_limit_nothing_is_counted(tmp_path: Path) -> None:
    with _limited(tmp_path, {}) as door:
        assert _statuses(door, 50) == {200: 50}
