"""POSTs spaced around the time after which real servers close idle connections: no error, and none is sent twice (F2).

`LB_RACE_POSTS=10000 pytest -s tests/e2e/test_keep_alive_race.py` is the long version: minutes, and it tells figures.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.harness.app import serving
from tests.e2e.harness.client import get, post
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.metrics import metric
from tests.e2e.harness.waiting import wait_for

_POSTS = int(os.environ.get("LB_RACE_POSTS", "0"))
_CLIENTS = 48
_AROUND = 0.3  # seconds over which a round's requests are spread, with the time in the middle


@dataclass(frozen=True, slots=True)
class Server:
    """A server as it comes: its command, and the seconds after which it closes an idle connection (0: at once)."""

    command: tuple[str, ...]
    app: str
    keeps: float


SERVERS = {
    "gunicorn-sync": Server(("gunicorn", "--bind", "127.0.0.1:0"), "counting_wsgi", 0.0),
    "gunicorn-gthread": Server(
        ("gunicorn", "--worker-class", "gthread", "--threads", "8", "--bind", "127.0.0.1:0"), "counting_wsgi", 2.0
    ),
    "uvicorn": Server(("uvicorn", "--no-access-log", "--port", "0"), "counting_asgi", 5.0),
}


@dataclass(slots=True)
class Outcome:
    """What became of the POSTs to one server: statuses, and how often the app was sent each body."""

    statuses: Counter[int] = field(default_factory=Counter)
    sent: list[str] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)


def _race(door: FrontDoor, name: str, pauses: Sequence[float], outcome: Outcome) -> None:
    """Rounds of POSTs, one from each client, with these pauses between; each request has its own place around it."""
    host = f"{name}.example.com"
    with ExitStack() as stack:
        clients = [stack.enter_context(door.connect()) for _ in range(_CLIENTS)]
        for turn in range(len(pauses) + 1):
            for place, client in enumerate(clients):
                body = f"{name}-{turn}-{place}"
                outcome.sent.append(body)
                client.send(post("/pay", body.encode(), host=host))
                time.sleep(_AROUND / _CLIENTS)
            for client in clients:
                outcome.statuses[client.response("POST").status] += 1
            if turn < len(pauses):
                time.sleep(max(pauses[turn] - _AROUND / 2, 0.0))
        outcome.seen = json.loads(clients[0].ask(get("/seen", host=host)).body)


def _pauses(server: Server) -> list[float]:
    if not _POSTS:
        return [server.keeps] if server.keeps > 2 else [server.keeps, server.keeps]
    rounds = -(-_POSTS // (_CLIENTS * len(SERVERS)))
    around = (server.keeps, server.keeps / 2, server.keeps, server.keeps - 0.1, server.keeps + 0.1, 1.0)
    return [max(around[turn % len(around)], 0.0) for turn in range(rounds - 1)]


@pytest.mark.timeout(1800 if _POSTS else 120)
def test_posts_around_the_keep_alive_times_of_real_servers(tmp_path: Path) -> None:
    # spec: F2
    with ExitStack() as stack:
        apps = {}
        for name, server in SERVERS.items():
            directory = tmp_path / name
            directory.mkdir()
            address = stack.enter_context(serving(server.command, server.app, directory))
            apps[name] = {"domains": [f"{name}.example.com"], "production": {"instances": [address]}}
        door = stack.enter_context(FrontDoor(configure(apps=apps, admin="127.0.0.1:0"), tmp_path))
        outcomes = {name: Outcome() for name in SERVERS}
        threads = [
            threading.Thread(target=_race, args=(door, name, _pauses(server), outcomes[name]))
            for name, server in SERVERS.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        asked = sum(len(outcome.sent) + 1 for outcome in outcomes.values())
        wait_for(lambda: metric(door, "lb_requests_total") == asked, "the figures")
        reused, retries = metric(door, "lb_upstream_reused_total"), metric(door, "lb_retries_total")
    for name, outcome in outcomes.items():
        twice = [body for body, count in outcome.seen.items() if count != 1]
        print(f"{name}: {len(outcome.sent)} POSTs, statuses {dict(outcome.statuses)}, twice {len(twice)}")
        assert outcome.statuses == {200: len(outcome.sent)}, name
        assert outcome.seen == dict.fromkeys(outcome.sent, 1), name
    print(f"{asked} requests in all, {reused} on idle connections, {retries} tried again")
    assert reused > 0  # it is not that idle connections are never used
    assert retries == 0


def test_a_close_and_a_post_that_are_found_together(tmp_path: Path) -> None:
    # spec: F2: the race for certain: both came while the worker slept, the POST first
    server = SERVERS["gunicorn-gthread"]
    with serving(server.command, server.app, tmp_path) as address, ExitStack() as stack:
        door = stack.enter_context(FrontDoor(configure(address), tmp_path))
        clients = [stack.enter_context(door.connect()) for _ in range(_CLIENTS)]
        [worker] = door.workers
        for turn in range(2):
            if turn:
                os.kill(worker, signal.SIGSTOP)
            for place, client in enumerate(clients):
                client.send(post("/pay", f"{turn}-{place}".encode()))
            if turn:
                time.sleep(server.keeps + 1.2)  # it looks for idle connections once a second
                os.kill(worker, signal.SIGCONT)
            assert {client.response("POST").status for client in clients} == {200}
        seen = json.loads(clients[0].ask(get("/seen")).body)
        assert seen == {f"{turn}-{place}": 1 for turn in range(2) for place in range(_CLIENTS)}
