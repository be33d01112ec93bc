"""A process is known by more than its pid."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from lb.apps.run.identity import Identity
from tests.e2e.harness.waiting import wait_for


def sleeper() -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", "print(1, flush=True); import time; time.sleep(300)"], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    return process


@pytest.mark.long
def test_a_process_is_signalled_and_then_gone() -> None:
    with sleeper() as process:
        identity = Identity.of(process.pid)
        assert identity.alive()
        assert identity.send(signal.SIGTERM)
        wait_for(lambda: not identity.alive(), "the process to end")  # a zombie counts as gone
        assert process.wait() == -signal.SIGTERM
    assert not identity.send(signal.SIGTERM)


@pytest.mark.long
@pytest.mark.parametrize("change", [{"start": 1}, {"boot": "another"}, {"start": 0}])
def test_another_process_with_its_pid_is_left_alone(change: dict[str, object]) -> None:
    with sleeper() as process:
        other = replace(Identity.of(process.pid), **change)  # type: ignore[arg-type]
        assert not other.alive()
        assert not other.send(signal.SIGKILL)
        assert process.poll() is None
        process.kill()


def test_it_is_read_from_a_record_or_not_at_all() -> None:
    own = Identity.of(os.getpid())
    assert Identity.from_json({"pid": own.pid, "start": own.start, "boot": own.boot, "more": 1}) == own
    for record in (None, {}, {"pid": "x", "start": 1, "boot": ""}, [1], "text"):
        assert Identity.from_json(record) is None
