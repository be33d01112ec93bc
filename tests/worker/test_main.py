"""The first moments of a worker."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.e2e.harness.door import command_environment

pytestmark = pytest.mark.long

_TOLD_TOO_EARLY = """
import os, signal, socket, sys
from lb.config.load import config_for_instances
from lb.config.plan import make_plan
from lb.control.service import prepare
service = prepare(make_plan(config_for_instances(["127.0.0.1:1"], [], "127.0.0.1:0")), {}, {})
worker = service._edition.roles(service._ground)[0]
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
os.kill(os.getpid(), signal.SIGTERM)
ours, theirs = socket.socketpair()
sys.exit(worker.run(theirs))
"""


def test_one_that_was_told_to_end_before_it_served_ends() -> None:  # spec: R2
    ended = subprocess.run([sys.executable, "-c", _TOLD_TOO_EARLY], timeout=30, check=False, env=command_environment())
    assert ended.returncode == 0
