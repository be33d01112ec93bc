"""SIGKILL of engine, shim, front door and builder in the states of a deploy under load: what serves goes on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lb.apps.run.run_directory import RunDirectory, directories
from lb.apps.service.deploy_state import FAULT_POINT
from tests.e2e.harness import process
from tests.e2e.harness.deployed import TO_PRODUCTION, DeployedDoor, deployed_door
from tests.e2e.harness.door import FrontDoor
from tests.e2e.harness.engine import APP
from tests.e2e.harness.load import Outcomes, load
from tests.e2e.harness.waiting import wait_for

pytestmark = pytest.mark.long

BEFORE = ("queued", "receiving", "building", "releasing", "starting")
SINCE = ("switching", "draining", "stopping")
MIGRATING = "run: python app.py\nrelease: echo migrated\n"
APART = {"NOTIFY_SOCKET": "/nowhere"}  # as under a service manager: the front door starts no engine


@pytest.fixture(scope="module")
def both() -> Iterator[DeployedDoor]:
    """Two instances; the engine is a service of its own."""
    with deployed_door({"count": 2}, env=APART) as both:
        both.deploy("stable", manifest=MIGRATING)
        first = both.door
        yield both
        if both.door is not first:
            both.door.stop()


@contextmanager
def steady(both: DeployedDoor) -> Iterator[Outcomes]:
    """Requests come all the while, and every one of them is answered with 200."""
    with load(both.door, TO_PRODUCTION, 4, 0.01) as outcomes:
        wait_for(lambda: outcomes["200"] > 10, "the load to begin")
        yield outcomes
        served = outcomes["200"]
        wait_for(lambda: outcomes["200"] > served + 20, "requests after it all")
    assert set(outcomes) == {"200"}, outcomes


def serving(both: DeployedDoor) -> str:
    return both.ask().body.split()[0].decode()


def last_deploy(both: DeployedDoor) -> dict[str, Any]:
    record: dict[str, Any] = both.home.state_of()["deploys"][-1]
    return record


def wait_settled(both: DeployedDoor) -> None:
    """Until nothing drains, and both instances of what serves run."""

    def is_settled() -> bool:
        shown = both.home.ps()
        states = [one["state"] for one in shown["instances"] if one["name"].startswith("web")]
        return states == ["running", "running"] and not shown["retiring"]

    wait_for(is_settled, "everything to settle", 60.0)
    both.wait_followed()


# The engine


@pytest.mark.parametrize("state", BEFORE)
def test_the_engine_before_the_switch(both: DeployedDoor, state: str) -> None:
    # spec: A5
    wait_settled(both)
    before = serving(both)
    with steady(both):
        both.home.kill()
        both.home.start(**{FAULT_POINT: state})
        done = both.home.deploy(both.home.project("doomed", manifest=MIGRATING))
        assert done.code == 1
        both.home.wait_dead()
        both.home.start()
        assert serving(both) == before
        assert last_deploy(both)["state"] == "failed"
    wait_settled(both)


@pytest.mark.parametrize("state", SINCE)
def test_the_engine_from_the_switch_on(both: DeployedDoor, state: str) -> None:
    # spec: A5
    wait_settled(both)
    with steady(both):
        both.home.kill()
        both.home.start(**{FAULT_POINT: state})
        both.home.deploy(both.home.project(f"new-at-{state}", manifest=MIGRATING))
        both.home.wait_dead()
        both.home.start()
        both.wait_version(f"new-at-{state}")
        wait_settled(both)
        assert last_deploy(both)["state"] == "done"


def test_the_engine_when_the_first_of_two_is_healthy(both: DeployedDoor) -> None:
    # spec: A5
    wait_settled(both)
    before = serving(both)
    instances = {one["id"] for one in both.home.ps()["instances"]}
    with steady(both):
        deploying = begin(both, "doomed", app=SLOW_SECOND)
        wait_said(deploying, "web1 is healthy")
        both.home.kill()
        deploying.communicate(timeout=30)
        assert deploying.returncode == 1
        both.home.start()
        assert serving(both) == before
        wait_for(lambda: {place.id for place in places(both)} == instances, "what was started to end", 30.0)
    assert last_deploy(both)["state"] == "failed"


# The shim


@pytest.mark.parametrize("moment", ["quiet", "building", "starting"])
def test_the_shim_of_one_of_two_that_serve(both: DeployedDoor, moment: str) -> None:
    # spec: A5 F2
    wait_settled(both)
    victim = both.home.ps()["instances"][0]["id"]
    with steady(both):
        deploying = None
        if moment != "quiet":
            deploying = begin(both, f"after-{moment}", app=SLOW_SECOND if moment == "starting" else APP)
            wait_said(deploying, "Using Python" if moment == "building" else "web1 is healthy")
        os.kill(shim_of(both, victim), signal.SIGKILL)
        if deploying is not None:
            deploying.communicate(timeout=60)
            assert deploying.returncode == 0
            both.wait_version(f"after-{moment}")
        wait_for(lambda: victim not in {one["id"] for one in both.home.ps()["instances"]}, "it to be gone", 30.0)
        wait_settled(both)


def test_the_shim_of_one_that_starts(both: DeployedDoor) -> None:
    # spec: A5
    wait_settled(both)
    known = {place.id for place in places(both)}
    with steady(both):
        deploying = begin(both, "restarted-twice", app=SLOW_SECOND)
        wait_said(deploying, "web1 is healthy")
        (second,) = wait_for(lambda: started_since(both, known, "web2"), "web2 to be started", 30.0)
        os.kill(second, signal.SIGKILL)
        out, err = deploying.communicate(timeout=60)
        assert deploying.returncode == 0, out + err
        assert "web2 did not start" in out
        both.wait_version("restarted-twice")
        wait_settled(both)


def test_the_shim_of_one_that_drains(both: DeployedDoor) -> None:
    # spec: A5
    wait_settled(both)
    old = both.home.ps()["instances"][0]["id"]
    shim = shim_of(both, old)
    with steady(both):
        both.deploy("newer", manifest=MIGRATING)
        os.kill(shim, signal.SIGKILL)
        both.wait_version("newer")
        wait_settled(both)
        assert last_deploy(both)["state"] == "done"


# The builder


@pytest.mark.parametrize("step", ["install", "build"])
def test_the_builder(both: DeployedDoor, step: str) -> None:
    # spec: A5
    wait_settled(both)
    before = serving(both)
    with steady(both):
        manifest = f"run: python app.py\n{step}: exec sleep 987.25\n"
        deploying = begin(both, "doomed", manifest=manifest)
        (builder,) = wait_for(lambda: running(b"sleep\x00987.25\x00"), f"{step} to run", 30.0)
        os.kill(builder, signal.SIGKILL)
        out, err = deploying.communicate(timeout=60)
        assert deploying.returncode == 1, out
        assert "SIGKILL" in err
        assert serving(both) == before
        record = last_deploy(both)
        assert record["state"] == "failed"
        assert not (both.home.directory / "apps" / "shop" / "releases" / record["tag"]).exists()


# The front door


@pytest.mark.parametrize("moment", ["building", "starting"])
def test_the_front_door(both: DeployedDoor, moment: str) -> None:
    # spec: A5
    wait_settled(both)
    deploying = begin(both, f"while-{moment}", app=SLOW_SECOND)
    wait_said(deploying, "Using Python" if moment == "building" else "web1 is healthy")
    both.door.kill()
    env = {"XDG_RUNTIME_DIR": str(both.home.runtime), **APART}
    both.door = FrontDoor(json.loads(both.home.file.read_text(encoding="utf-8")), both.home.root, env=env)
    with steady(both):
        deploying.communicate(timeout=60)
        assert deploying.returncode == 0
        both.wait_version(f"while-{moment}")
        wait_settled(both)


def test_workers_of_the_front_door_during_a_switch(both: DeployedDoor) -> None:
    # spec: A5 R3
    wait_settled(both)
    deploying = begin(both, "with-new-workers")
    wait_said(deploying, "Starting 2 instances")
    for worker in [pid for pid in both.door.workers if process.title(pid).startswith("lb: worker")]:
        os.kill(worker, signal.SIGKILL)
    deploying.communicate(timeout=60)
    assert deploying.returncode == 0
    both.wait_version("with-new-workers")
    with steady(both):
        wait_settled(both)


# Parts

SLOW_SECOND = APP.replace(
    "ThreadingHTTPServer((",
    'if os.environ["LEANCLOUD_APP_INSTANCE"] == "web2":\n    time.sleep(1.5)\nThreadingHTTPServer((',
)


def begin(both: DeployedDoor, version: str, *, app: str = APP, manifest: str = MIGRATING) -> subprocess.Popen[str]:
    """A deploy that goes on while the test does something else."""
    text = app.replace("{version!r}", repr(version)) if app is SLOW_SECOND else app
    project = both.home.project(version, app=text, manifest=manifest)
    return both.home.popen("deploy", "shop", str(project), "--prod", PYTHONUNBUFFERED="1")


def wait_said(deploying: subprocess.Popen[str], words: str) -> None:
    assert deploying.stdout is not None
    for line in deploying.stdout:
        if words in line:
            return
    raise AssertionError(f"the deploy ended without {words!r}: {deploying.communicate()}")


def places(both: DeployedDoor) -> list[RunDirectory]:
    return directories(both.home.directory / "run")


def shim_of(both: DeployedDoor, identifier: str) -> int:
    """The process of an instance's shim."""
    (record,) = [place.read_instance() for place in places(both) if place.id == identifier]
    assert record is not None
    pid: int = record["shim"]["pid"]
    return pid


def started_since(both: DeployedDoor, known: set[str], name: str) -> list[int]:
    """The shims of instances with this name that were not there before."""
    records = [place.read_instance() for place in places(both) if place.id not in known]
    return [one["shim"]["pid"] for one in records if one is not None and one["facts"]["name"] == name]


def running(command: bytes) -> list[int]:
    """The processes with exactly this command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes() == command:
                found.append(int(re.findall(r"\d+", str(path))[0]))
        except OSError:
            continue
    return found
