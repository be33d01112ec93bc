"""Instances that are ended with their test, whatever became of it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lb.apps.run import process_tree
from lb.apps.run.instance import LaunchedInstance, launch, mark
from lb.apps.run.order import InstanceOrder, Isolation
from lb.apps.run.ports import port_is_free
from lb.apps.run.run_directory import effective_root
from tests.apps.run.making import RUNGS
from tests.apps.run.needs import need_sandbox


class Instances:
    """Starts instances under one run directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.started: list[LaunchedInstance] = []

    async def start(self, wanted: InstanceOrder) -> LaunchedInstance:
        running = await launch(wanted, self.root)
        self.started.append(running)
        return running


@pytest.fixture
async def instances(tmp_path: Path) -> AsyncIterator[Instances]:
    root = tmp_path / "run"
    root.mkdir()
    made = Instances(root)
    yield made
    for running in made.started:
        if not running.ended:
            await running.kill()
        for pid in process_tree.marked(mark(running.facts)):
            os.kill(pid, signal.SIGKILL)
        running.forget()
    shutil.rmtree(effective_root(root), ignore_errors=True)


@pytest.fixture(params=RUNGS)
def rung(request: pytest.FixtureRequest) -> Isolation:
    """Each rung that can be tried on any machine; bubblewrap where it works."""
    wanted: Isolation = request.param
    return need_sandbox() if wanted is Isolation.BWRAP else wanted


@pytest.fixture
def sandbox() -> Isolation:
    """For tests of what only a sandbox does."""
    return need_sandbox()


@pytest.fixture
def free_port() -> int:
    """A port outside the pool that nobody listens on, nor on the next one."""
    return next(port for port in range(30100, 32000, 2) if port_is_free(port) and port_is_free(port + 1))
