"""A disk that is full, for the engine alone: what fails says so, what serves goes on, and no state is lost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.harness.engine import EngineHome, write_project
from tests.e2e.harness.waiting import wait_for

pytestmark = pytest.mark.long

SIZE = 1100 << 20  # an upload wants 1 GiB to be free
CHATTY = "run: python app.py\nbuild: head -c 1200M /dev/zero > big\n"


@pytest.fixture(scope="module")
def home() -> Iterator[EngineHome]:
    """The engine's directory is a small file system of its own."""
    home = EngineHome()
    home.directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "tmpfs", str(home.directory)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        with home:
            yield home
    finally:
        subprocess.run(["umount", "--lazy", str(home.directory)], check=False)


def fill(home: EngineHome) -> Path:
    """Takes all the room that is left."""
    big = home.directory / "filler"
    with big.open("wb") as file:
        left = os.statvfs(home.directory)
        os.posix_fallocate(file.fileno(), 0, left.f_bavail * left.f_frsize)
    return big


def test_a_build_that_fills_the_disk_fails_and_leaves_it_as_it_was(home: EngineHome) -> None:
    # spec: A5
    assert home.deploy(home.project("stable")).code == 0
    before = home.answers()
    used = os.statvfs(home.directory).f_bfree
    failed = home.deploy(write_project(home.root / "big", "big", manifest=CHATTY))
    assert failed.code == 1
    assert "No space left on device" in failed.err
    assert home.answers() == before
    wait_for(lambda: os.statvfs(home.directory).f_bfree >= used - 1024, "the failed build to be removed")


def test_a_disk_that_is_full_changes_nothing_until_there_is_room(home: EngineHome) -> None:
    # spec: A5
    if not home.ps()["instances"]:
        assert home.deploy(home.project("stable")).code == 0
    before = home.answers()
    filler = fill(home)
    try:
        failed = home.deploy(home.project("doomed"))
        assert failed.code == 1
        assert "space" in failed.err
        assert home.answers() == before
        os.kill(int(before[0][-1]), 9)
        wait_for(lambda: home.endpoints() and home.answers()[0][-1] != before[0][-1], "another process", 30.0)
        home.restart()  # it knows of the old process alone, and starts another one
        wait_for(lambda: home.endpoints() and home.answers()[0][0] == before[0][0], "the version to serve", 30.0)
        running = home.answers()
    finally:
        filler.unlink()
    (instance,) = home.ps()["instances"]
    placement = home.directory / "apps" / "shop" / "production" / "placement.json"
    wait_for(lambda: instance["id"] in placement.read_text(encoding="utf-8"), "the placement to be written")
    home.restart()
    assert home.answers() == running, "the same process, by its pid"
    done = home.deploy(home.project("with-room"))
    assert done.code == 0, done.err
    assert home.answers()[0][0] == "with-room"
