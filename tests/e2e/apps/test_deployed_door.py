"""Deployed apps behind the front door: no request fails, whatever is deployed, killed or reloaded meanwhile."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import process
from tests.e2e.harness.client import get
from tests.e2e.harness.deployed import STAGING, TO_PRODUCTION, TO_STAGING, DeployedDoor, deployed_door, upgraded_door
from tests.e2e.harness.expect import proxy_error
from tests.e2e.harness.load import load
from tests.e2e.harness.waiting import wait_for

pytestmark = pytest.mark.long


def health_of(both: DeployedDoor) -> list[int]:
    """The health process of the front door."""
    return [pid for pid in process.children(both.door.pid) if process.title(pid) == "lb: health"]


@pytest.fixture(scope="module")
def both() -> Iterator[DeployedDoor]:
    """Two instances of a version in production, and nothing in staging at first."""
    with deployed_door({"count": 2}) as both:
        refused = both.ask(TO_PRODUCTION)
        assert (refused.status, proxy_error(refused)) == (503, "app_not_deployed")
        assert b"lb deploy shop --prod" in refused.body
        both.deploy("first")
        assert both.ask().body.startswith(b"first"), "the command returns when the front door follows"
        yield both


def test_each_command_returns_when_all_workers_follow(both: DeployedDoor) -> None:
    # spec: A5
    both.deploy("returned")
    for command in (("restart", "shop"), ("scale", "shop", "1"), ("scale", "shop", "2"), ("rollback", "shop")):
        assert both.home.lb(*command).code == 0
        status = both.status()
        assert status["followed"] == status["generation"], command
    assert both.ask().body.startswith(b"first")
    for command, answer in ((("stop", "shop"), 503), (("start", "shop"), 200)):
        assert both.home.lb(*command).code == 0
        assert {both.ask().status for _ in range(8)} == {answer}, command


def test_a_deploy_and_a_roll_back_under_load(both: DeployedDoor) -> None:
    # spec: A2, A6
    with load(both.door, TO_PRODUCTION) as outcomes:
        both.deploy("second")
        assert both.ask().body.startswith(b"second")
        assert both.home.lb("rollback", "shop").code == 0
        assert both.ask().body.startswith(b"first")
    assert set(outcomes) == {"200"}
    assert outcomes.total() > 100


def test_the_engine_is_killed_under_load(both: DeployedDoor) -> None:
    # spec: A2: rows stay while the engine is away
    serving = {one["id"] for one in both.wait_instances(2)}
    with load(both.door, TO_PRODUCTION) as outcomes:
        both.home.kill()
        wait_for(
            lambda: any(("engine" in line and "gone" in line) or "failed" in line for line in both.door.stderr), "it"
        )
        served = outcomes.total()
        wait_for(lambda: outcomes.total() > served + 100, "more requests")
        both.home.start()
    assert set(outcomes) == {"200"}
    assert {one["id"] for one in both.wait_instances(2)} == serving


def test_the_health_process_is_killed_and_comes_again(both: DeployedDoor) -> None:
    before = both.status()
    (health,) = health_of(both)
    with load(both.door, TO_PRODUCTION) as outcomes:
        os.kill(health, signal.SIGKILL)
        wait_for(lambda: health_of(both) not in ([], [health]), "another one")
        both.deploy("third")
        both.wait_version("third")
    assert set(outcomes) == {"200"}
    assert both.status()["release"] != before["release"]


def test_a_reload_in_the_middle_of_a_deploy(both: DeployedDoor) -> None:
    # spec: R2
    done: list[Any] = []
    with load(both.door, TO_PRODUCTION) as outcomes:
        deploying = threading.Thread(target=lambda: done.append(both.deploy("fourth")))
        deploying.start()
        assert both.door.reload()
        deploying.join()
        assert both.door.reload()
        both.wait_version("fourth")
    assert done
    assert set(outcomes) == {"200"}


@pytest.mark.parametrize("key", ["isolation", "directory"])
def test_a_reload_that_the_engine_cannot_follow_changes_nothing(key: str) -> None:
    # spec: R2
    with deployed_door() as both:
        file = both.home.file
        config = json.loads(file.read_text(encoding="utf-8"))
        other = {"isolation": "auto", "directory": str(both.home.root / "other")}[key]
        changed = {**config, "engine": {**config["engine"], key: other}}
        domains = [*changed["apps"]["shop"]["domains"], "new.example.com"]
        changed["apps"] = {"shop": {**changed["apps"]["shop"], "domains": domains}}
        file.write_text(json.dumps(changed), encoding="utf-8")
        refused = both.home.lb("reload", str(file))
        assert refused.code == 1
        assert f"engine.{key} does not change by a reload: restart the engine" in refused.err
        assert both.ask(get("/", host="new.example.com")).status == 404, "the front door has the old configuration"
        both.home.kill()
        both.home.start()
        assert both.home.lb("reload", str(file)).code == 0, "the engine goes by the file already"
        assert both.ask(get("/", host="new.example.com")).status == 503


def test_what_is_served_is_counted_and_told(both: DeployedDoor) -> None:
    # spec: O1
    for _ in range(10):
        assert both.ask().status == 200
    counted = wait_for(
        lambda: [one for one in both.status()["instances"] if one["requests"] >= 5 and one["seconds"] > 0], "figures"
    )
    assert {one["name"] for one in counted} == {"web1", "web2"}
    wait_for(lambda: all(one["usage"] for one in both.status()["instances"]), "the engine to say what they use", 30.0)
    assert all(one["usage"]["memory"] > 1 << 20 for one in both.status()["instances"])
    (staging,) = [line for line in both.home.lb("status", str(both.home.file)).out.splitlines() if "staging" in line]
    assert "lb deploy shop --staging" in staging


def test_an_instance_that_is_ill_is_told_to_the_engine_and_replaced(tmp_path: Path) -> None:
    # spec: A1
    ill = tmp_path / "ill"
    app = APP_THAT_FALLS_ILL.replace("ILL", str(ill))
    keys = {"count": 2, "health_interval": "500ms"}
    with deployed_door(keys) as both:
        both.deploy("ill", app=app)
        both.wait_followed()
        first = {one["id"] for one in both.wait_instances(2)}
        ill.write_text("web1", encoding="utf-8")
        states = wait_for(
            lambda: [one for one in both.status()["instances"] if one["state"] == "unhealthy"], "it to be found ill"
        )
        assert states[0]["name"] == "web1"
        for _ in range(10):
            assert both.ask().status == 200

        # The next web1 is well: it has started since.
        def is_replaced() -> bool:
            now = {one["id"] for one in both.status()["instances"] if one["state"] == "healthy"}
            return len(now) == 2 and states[0]["id"] not in now

        wait_for(is_replaced, "another web1", 60.0)
        assert len(first & {one["id"] for one in both.status()["instances"]}) == 1


def test_it_sleeps_and_one_of_many_requests_wakes_it() -> None:
    # spec: L5
    with deployed_door(staging={"sleep": "1s", "wake_timeout": "20s"}) as both:
        both.deploy("sleeper", "--staging")
        both.wait_version("sleeper", TO_STAGING)
        both.wait_state("asleep", "staging")
        both.wait_instances(0, "staging")
        quiet = both.ask(get("/robots.txt", host=STAGING))
        assert (quiet.status, proxy_error(quiet)) == (503, "app_asleep")
        assert both.status("staging")["state"] == "asleep"
        with both.door.connect() as impatient:
            impatient.send(TO_STAGING)
            wait_for(lambda: both.status("staging")["state"] != "asleep", "the wake")
        with load(both.door, TO_STAGING, 40) as outcomes:
            wait_for(lambda: outcomes.total() >= 80, "all to be served")
        assert set(outcomes) == {"200"}
        assert both.home.log.count("is awake after") == 1


def test_the_door_is_upgraded_while_an_old_version_drains() -> None:
    # spec: R2
    with upgraded_door({"count": 2}) as both:
        both.deploy("before")
        both.wait_version("before")
        with load(both.door, TO_PRODUCTION, 4) as outcomes:
            both.deploy("after")
            done = both.home.lb("upgrade", str(both.home.file))
            assert done.code == 0, done.err
        assert set(outcomes) == {"200"}
        assert both.ask().body.startswith(b"after")
        assert {one["state"] for one in both.instances()} == {"healthy"}


def test_stopped_and_started(both: DeployedDoor) -> None:
    both.deploy("stg", "--staging")
    both.wait_version("stg", TO_STAGING)
    assert both.home.lb("stop", "shop", "--staging").code == 0
    refused = both.ask(TO_STAGING)
    assert proxy_error(refused) == "app_stopped"
    assert b"lb start shop --staging" in refused.body
    assert both.home.lb("start", "shop", "--staging").code == 0
    both.wait_version("stg", TO_STAGING)


APP_THAT_FALLS_ILL = """\
import os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

STARTED = time.time()

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        me = os.environ["LEANCLOUD_APP_INSTANCE"]
        ill = Path("ILL")
        is_ill = ill.exists() and ill.read_text() in me and ill.stat().st_mtime > STARTED
        self.send_response(500 if is_ill and "lb-health" in str(self.headers["User-Agent"]) else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

ThreadingHTTPServer(("127.0.0.1", int(os.environ["LEANCLOUD_APP_PORT"])), Handler).serve_forever()
"""
