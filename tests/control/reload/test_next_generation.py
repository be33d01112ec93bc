"""A changed configuration on its way into a service: everything that can fail has been done, and nothing is in use."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lb.config.load import load_bytes
from lb.config.plan import Plan
from lb.control.reload.steps import Reading
from lb.control.service import Service, prepare
from lb.process.start_error import StartError


def plan(http: str = "127.0.0.1:0", workers: int = 1, **more: Any) -> Plan:
    production = {"instances": ["127.0.0.1:1"]}
    apps = {"shop": {"domains": ["a.example"], "production": production}}
    value = {"listen": {"http": http}, "workers": workers, "apps": apps, **more}
    return load_bytes("test", json.dumps(value).encode(), {}).plan


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = prepare(plan(), {}, {"XDG_RUNTIME_DIR": str(tmp_path)})
    yield made
    for bound in made.bound:
        for sock in bound.sockets:
            sock.close()


def free() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return f"127.0.0.1:{sock.getsockname()[1]}"


# spec: R4
def test_the_same_configuration_says_so(service: Service) -> None:
    following = service.next_change(Reading(plan(), {}), ())
    assert following.unchanged
    assert following.sockets == []
    following.give_up()


# spec: R4
def test_what_is_prepared_is_in_use_when_it_is_put_in_place(service: Service) -> None:
    address = free()
    following = service.next_change(Reading(plan(address, 2), {}), ())
    assert service.plan == plan()
    assert not following.unchanged
    assert len(following.edition.slots) == 2
    following.listen()
    with socket.create_connection((address.partition(":")[0], int(address.partition(":")[2]))):
        following.put_in_place()
    assert service.plan == following.plan
    assert service.board.serving == 2
    assert len(following.edition.left) == 1  # what nobody listens on any more, still open
    following.finish()
    assert following.edition.left[0].fileno() == -1


# spec: R4
def test_what_is_given_up_leaves_nothing(service: Service) -> None:
    following = service.next_change(Reading(plan(free()), {}), ())
    added = [sock for sock in following.sockets if sock not in following.edition.left]
    following.give_up()
    assert all(sock.fileno() == -1 for sock in added)
    assert service.plan == plan()
    assert all(sock.fileno() >= 0 for bound in service.bound for sock in bound.sockets)


# spec: R4
def test_an_address_that_is_taken_changes_nothing(service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        address = f"127.0.0.1:{sock.getsockname()[1]}"
        with pytest.raises(StartError, match=address):
            service.next_change(Reading(plan(address), {}), ())
    assert service.plan == plan()


# spec: R4
def test_workers_that_stay_keep_their_slots_and_those_that_retire_theirs(service: Service) -> None:
    following = service.next_change(Reading(plan(workers=3), {}), (0, 1))
    assert following.edition.slots == (0, 2, 3)
    following.give_up()
    busy = range(2048)
    with pytest.raises(StartError, match="try again when some have ended"):
        service.next_change(Reading(plan(workers=2), {}), busy)
