"""`lb serve` starts the engine itself where an app is deployed, and leaves it running."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator

import pytest

from tests.e2e.harness import process
from tests.e2e.harness.deployed import configure_deployed
from tests.e2e.harness.door import FrontDoor
from tests.e2e.harness.engine import EngineHome
from tests.e2e.harness.waiting import wait_for

pytestmark = pytest.mark.long


@pytest.fixture
def home() -> Iterator[EngineHome]:
    """A place for an engine that nobody has started; whichever runs in the end is stopped."""
    home = EngineHome()
    config = configure_deployed(home, {"deploy": True}, {"deploy": True})
    config["engine"]["start"] = True
    home.file.write_text(json.dumps(config), encoding="utf-8")
    yield home
    home.lb("engine", "stop", "--apps")
    shutil.rmtree(home.root, ignore_errors=True)


def engine_of(home: EngineHome) -> int:
    """The engine's process; 0 while none answers."""
    done = home.lb("engine", "status", "--json")
    return int(done.json["pid"]) if done.code == 0 else 0


def test_the_engine_is_started_once_and_outlives_the_front_door(home: EngineHome) -> None:
    config = json.loads(home.file.read_text(encoding="utf-8"))
    environ = {"XDG_RUNTIME_DIR": str(home.runtime)}
    with FrontDoor(config, home.root, env=environ) as door:
        engine = wait_for(lambda: engine_of(home), "an engine to answer", 60.0)
        wait_for(
            lambda: any("connected to the engine" in line for line in door.stderr), "the front door to find it", 30.0
        )
        assert engine not in process.children(door.pid), "it is nobody's child"
    assert engine_of(home) == engine
    with FrontDoor(config, home.root, env=environ) as door:
        wait_for(
            lambda: any("connected to the engine" in line for line in door.stderr), "the next one to find it", 30.0
        )
        assert engine_of(home) == engine


def test_an_engine_that_dies_is_started_again_and_one_that_is_stopped_is_not(home: EngineHome) -> None:
    # spec: A5
    config = json.loads(home.file.read_text(encoding="utf-8"))
    with FrontDoor(config, home.root, env={"XDG_RUNTIME_DIR": str(home.runtime)}) as door:
        first = wait_for(lambda: engine_of(home), "an engine to answer", 60.0)
        wait_for(lambda: any("connected to the engine" in line for line in door.stderr), "the front door", 30.0)
        os.kill(first, signal.SIGKILL)
        second = wait_for(lambda: engine_of(home) not in (0, first) and engine_of(home), "another one", 60.0)
        assert second not in process.children(door.pid)
        wait_for(lambda: sum("connected to the engine" in line for line in door.stderr) == 2, "the front door", 30.0)
        assert home.lb("engine", "stop").code == 0
        wait_for(lambda: any("the engine has gone" in line for line in door.stderr[-3:]), "it to be gone", 30.0)
        assert not any("started again" in line for line in door.stderr[-2:])
    assert engine_of(home) == 0


def test_under_a_service_manager_the_engine_is_a_service_of_its_own(home: EngineHome) -> None:
    config = json.loads(home.file.read_text(encoding="utf-8"))
    environ = {"XDG_RUNTIME_DIR": str(home.runtime), "NOTIFY_SOCKET": str(home.runtime / "nobody")}
    with FrontDoor(config, home.root, env=environ) as door:
        assert any("no engine runs for" in line for line in door.stderr)
    assert engine_of(home) == 0
