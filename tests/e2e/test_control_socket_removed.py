"""Somebody removes the control socket, or its directory: commands reach the service again within seconds."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.harness.door import FrontDoor, command_environment, configure
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.scripts import echo
from tests.e2e.harness.waiting import wait_for


def status(file: Path, environ: dict[str, str]) -> dict[str, object] | None:
    done = subprocess.run(
        [sys.executable, "-m", "lb", "status", str(file), "--json"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env=command_environment(environ),
    )
    return dict(json.loads(done.stdout)) if done.returncode == 0 else None


@pytest.mark.parametrize("what", ["directory", "socket"])
def test_a_control_socket_that_was_removed_is_made_again(tmp_path: Path, short_path: Path, what: str) -> None:
    environ = {"XDG_RUNTIME_DIR": str(short_path)}
    with Instance(echo()) as instance, FrontDoor(configure(instance.address), tmp_path, env=environ) as door:
        assert status(door.file, environ)
        for times in (1, 2):
            if what == "directory":
                shutil.rmtree(short_path / "lb")
            else:
                [path] = (short_path / "lb").glob("*.sock")
                path.unlink()
            assert not status(door.file, environ)
            answer = wait_for(lambda: status(door.file, environ), "commands to reach it again")
            assert answer is not None
            assert answer["file"] == str(door.file)
            assert len([line for line in door.stderr if "control socket" in line]) == times
        door.signal(signal.SIGTERM)
        assert door.wait_end() == 0
        assert not list((short_path / "lb").glob("*.sock"))
