"""SIGKILL of a real engine at each write of deploy.json: what serves goes on, and the next engine settles the rest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lb.apps.service.deploy_state import FAULT_POINT
from tests.e2e.harness.engine import EngineHome, get
from tests.e2e.harness.waiting import wait_for

pytestmark = pytest.mark.long

MIGRATING = "run: python app.py\nrelease: date >> $HOME/../migrated; echo migrated\n"
BEFORE = ("queued", "receiving", "building", "releasing", "starting")


@pytest.fixture(scope="module")
def home() -> Iterator[EngineHome]:
    with EngineHome() as home:
        assert home.deploy(home.project("stable")).code == 0
        yield home


def processes(home: EngineHome) -> set[int]:
    """Everything that runs below the engine's directory, but for the engine itself."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            environ = (path / "environ").read_bytes()
            command = (path / "cmdline").read_bytes()
        except OSError:
            continue
        if str(home.directory).encode() in environ + command and b"engine\0run" not in command:
            found.add(int(path.name))
    return found - {os.getpid()}


@pytest.mark.parametrize("state", BEFORE)
def test_before_the_switch_nothing_has_changed(home: EngineHome, state: str) -> None:
    # spec: A5
    (endpoint,), (before,) = home.endpoints(), home.answers()
    running = processes(home)
    home.kill()
    assert get(endpoint).split() == before, "the engine's end is nothing to an app"
    home.start(**{FAULT_POINT: state})
    done = home.deploy(home.project("doomed", manifest=MIGRATING))
    assert done.code == 1
    home.wait_dead()
    assert get(endpoint).split() == before
    home.start()
    assert home.answers() == [before], "the same process, by its pid"
    record = home.state_of()["deploys"][-1]
    assert record["state"] == "failed"
    assert "restarted" in record["note"]
    if state == "releasing":
        assert "release command was interrupted" in record["note"]
    if state in ("receiving", "building"):
        assert not (home.directory / "apps" / "shop" / "releases" / record["tag"]).exists()
    wait_for(lambda: processes(home) <= running, "what the deploy had started to end", 30)


@pytest.mark.parametrize("state", ["switching", "draining", "stopping"])
def test_from_the_switch_on_the_new_version_serves(home: EngineHome, state: str) -> None:
    # spec: A5
    (before,) = home.answers()
    home.kill()
    home.start(**{FAULT_POINT: state})
    home.deploy(home.project(f"new-at-{state}"))
    home.wait_dead()
    home.start()
    (after,) = home.answers()
    assert after[0] == f"new-at-{state}"
    wait_for(lambda: not home.ps()["retiring"], "the old version to end", 60)
    assert not Path(f"/proc/{before[-1]}").exists()
    assert home.state_of()["deploys"][-1]["state"] == "done"


def test_a_deploy_whose_client_is_gone_goes_on(home: EngineHome) -> None:
    process = home.popen("deploy", "shop", str(home.project("orphan")), "--prod")
    assert process.stdout is not None
    assert wait_for(lambda: "Using Python" in (process.stdout.readline() if process.stdout else ""), "the build")
    process.kill()
    process.communicate()
    wait_for(lambda: home.answers()[0][0] == "orphan", "the deploy to end", 60)


def test_an_app_that_dies_is_started_again(home: EngineHome) -> None:
    # spec: A1
    (before,) = home.answers()
    os.kill(int(before[-1]), 9)
    wait_for(lambda: home.endpoints() and home.answers()[0][-1] != before[-1], "another process", 30)
    shown = home.ps()["instances"][0]
    assert shown["restarts"] == 1
    assert "SIGKILL" in shown["last_cause"]


def test_a_second_engine_for_the_file_is_refused(home: EngineHome) -> None:
    done = home.lb("engine", "run", str(home.file))
    assert done.code == 1
    assert "an engine runs already" in done.err
    other = home.root / "other.yaml"
    other.write_text(home.file.read_text(encoding="utf-8"), encoding="utf-8")
    done = home.lb("engine", "run", str(other))
    assert done.code == 1
    assert "is used by another engine already" in done.err
    assert home.lb("engine", "start", str(home.file)).code == 0
