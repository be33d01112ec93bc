"""Clients that ask as fast as they can while something fails, and what became of each of their requests."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from tests.e2e.harness.client import Client
from tests.e2e.harness.expect import proxy_error
from tests.e2e.harness.waiting import PATIENCE, wait_for
from tests.e2e.harness.wire import Truncated

Outcomes = Counter[str]


class Connectable(Protocol):
    """Whatever clients connect to, such as a front door."""

    def connect(self) -> Client: ...


def outcome_of(client: Client, request: bytes) -> str:
    """What the client sees: "200", "502 connection_refused", or "lost" where no response came, or not to its end."""
    return _ask(client, request)[0]


def _ask(client: Client, request: bytes) -> tuple[str, bool]:
    """The same, and whether the connection is good for another request."""
    try:
        response = client.ask(request)
    except (ConnectionError, Truncated):
        return "lost", False
    cause = f" {proxy_error(response)}" if response.has("proxy-status") else ""
    return f"{response.status}{cause}", b"close" not in response.all("connection")


def ask_once(door: Connectable, request: bytes) -> str:
    """The same on a connection of its own."""
    with door.connect() as client:
        return outcome_of(client, request)


@contextmanager
def load(door: Connectable, request: bytes, clients: int = 8, pause: float = 0.0) -> Iterator[Outcomes]:
    """Keep-alive clients that send the request over and over until the block ends, with a pause of so many seconds
    between two; AssertionError when one hangs.
    """
    outcomes: Outcomes = Counter()
    lock = threading.Lock()

    def ask_on_one_connection(stop: threading.Event) -> None:
        with door.connect() as client:
            stays = True
            while stays and not stop.is_set():
                outcome, stays = _ask(client, request)
                with lock:
                    outcomes[outcome] += 1
                stop.wait(pause)

    with over_and_over(ask_on_one_connection, clients):
        yield outcomes


@contextmanager
def newcomers(door: Connectable, request: bytes, clients: int = 4, pause: float = 0.0) -> Iterator[Outcomes]:
    """The same from clients that ask once on a connection of their own."""
    outcomes: Outcomes = Counter()
    lock = threading.Lock()

    def come(stop: threading.Event) -> None:
        try:
            outcome = ask_once(door, request)
        except OSError as error:  # the door cannot be reached
            outcome = repr(error)
        with lock:
            outcomes[outcome] += 1
        stop.wait(pause)

    with over_and_over(come, clients):
        yield outcomes


@contextmanager
def over_and_over(step: Callable[[threading.Event], None], threads: int) -> Iterator[None]:
    """Threads that do `step` again and again until the block ends, which sets the event that each step is given."""
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            step(stop)

    running = [threading.Thread(target=run) for _ in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        join_all(running)


def join_all(threads: list[threading.Thread]) -> None:
    """Wait for all of them; AssertionError when one does not end."""
    for thread in threads:
        thread.join(2 * PATIENCE)
    assert not [thread for thread in threads if thread.is_alive()], "a request hangs"


def wait_more(outcomes: Outcomes, outcome: str = "200", count: int = 200) -> None:
    """Wait until so many more requests had this outcome."""
    enough = outcomes[outcome] + count
    wait_for(lambda: outcomes[outcome] >= enough, f"{count} times {outcome!r}")
