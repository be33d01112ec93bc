"""Processes of the service that hear nothing any more: a stop ends in time all the same, and a reload goes on."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.harness import process
from tests.e2e.harness.client import get
from tests.e2e.harness.door import FrontDoor, configure
from tests.e2e.harness.instance import Instance, Peer
from tests.e2e.harness.waiting import wait_for

_DRAIN = 3.0
_SLACK = 0.6  # seconds for a busy machine


def silent(peer: Peer) -> None:
    """Takes a request and never answers."""
    peer.request()
    peer.wait_gone()


def child(door: FrontDoor, title: str) -> int:
    (found,) = (pid for pid in process.children(door.pid) if process.title(pid).startswith(f"lb: {title}"))
    return found


@pytest.mark.parametrize(("title", "code"), [("worker", 1), ("admin", 0)])
def test_a_stop_ends_in_time_although_a_process_is_stopped(tmp_path: Path, title: str, code: int) -> None:
    # spec: L6
    with Instance(silent) as instance:
        config = configure(instance.address, admin="127.0.0.1:0", timeouts={"drain": f"{_DRAIN:g}s"})
        with FrontDoor(config, tmp_path) as door, door.connect() as client:
            client.send(get())
            instance.wait_requests(1)
            deaf = child(door, title)
            os.kill(deaf, signal.SIGSTOP)
            began = time.monotonic()
            door.signal(signal.SIGTERM)
            assert door.wait_end() == code
            assert time.monotonic() - began < _DRAIN + _SLACK
            assert not process.is_alive(deaf)
            door.check()


def test_a_stopped_worker_that_retires_is_killed_when_its_time_is_over(tmp_path: Path) -> None:
    # spec: L6
    with Instance(silent) as instance:
        config = configure(instance.address, workers=2, timeouts={"retire": "1s"})
        with FrontDoor(config, tmp_path) as door:
            deaf = child(door, "worker 2")
            os.kill(deaf, signal.SIGSTOP)
            assert door.reload({**config, "workers": 1})
            wait_for(lambda: not process.is_alive(deaf), "it to be killed")
