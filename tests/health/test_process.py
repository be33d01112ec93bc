"""The health process as a process: how it ends."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from lb.config.model import Config
from lb.config.plan import make_plan
from lb.health.process import HealthAssignment, Watcher, run_health
from lb.routing.health_table import HealthTable
from tests.e2e.harness.waiting import wait_for


def test_it_ends_at_once_even_while_it_still_begins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    begun = tmp_path / "begun"

    def begin(_: Watcher, __: Config) -> None:
        begun.touch()
        signal.pause()  # ten thousand instances

    monkeypatch.setattr(Watcher, "configure", begin)
    ours, theirs = socket.socketpair()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    pid = os.fork()
    if pid == 0:
        os._exit(run_health(HealthAssignment(make_plan(Config()).health, HealthTable(16)), theirs))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    with ours, theirs:
        wait_for(begun.exists, "its beginning")
        os.kill(pid, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
