"""The seeds' times as they are: the old version keeps 30 s, however idle, and a terminal's Ctrl-C cancels a deploy."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness.engine import EngineHome, get
from tests.e2e.harness.waiting import wait_for

pytestmark = pytest.mark.long


@pytest.fixture
def home() -> Iterator[EngineHome]:
    with EngineHome(hurried=False) as home:
        yield home


def test_the_old_version_stays_thirty_seconds_and_a_third_one_waits(home: EngineHome) -> None:
    # spec: A2
    assert home.deploy(home.project("one")).code == 0
    (old,) = home.endpoints()
    pid = get(old).split()[-1]
    begun = time.monotonic()
    assert home.deploy(home.project("two")).code == 0
    switched = time.monotonic()
    assert get(old).split()[0] == "one", "it still answers what reaches it"
    third = home.deploy(home.project("three"))
    assert third.code == 0
    assert "Waiting for the version before" in third.out
    assert home.answers()[0][0] == "three"
    assert time.monotonic() - begun >= 30
    assert not Path(f"/proc/{pid}").exists()
    assert time.monotonic() - switched < 60


def test_ctrl_c_at_a_terminal_can_cancel(home: EngineHome) -> None:
    # spec: A5
    assert home.deploy(home.project("one")).code == 0
    before = home.answers()
    ours, theirs = pty.openpty()
    slow = home.project("two", manifest="run: python app.py\nbuild: sleep 300\n")
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "lb", "deploy", "shop", str(slow), "--prod"],
        cwd=home.root,
        env=home.environ,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    wait_for(lambda: _builds(home), "the build to begin")
    wait_for(_sleeps, "the build's command")
    process.send_signal(signal.SIGINT)
    os.write(ours, b"cancel\n")
    said, _ = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 1, said
    assert "The deploy was cancelled." in said
    assert home.answers() == before
    assert not _sleeps(), "nothing of the build is left"


def _builds(home: EngineHome) -> bool:
    return any(one["state"] == "building" for one in home.ps()["deploys"])


def _sleeps() -> bool:
    """Whether a build's command runs."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes() == b"sleep\x00300\x00":
                return True
        except OSError:
            continue
    return False
