"""Apps that do harm on a machine that others share, on the best rung that it has: each hurts itself alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from lb.apps.run.shim_client import ShimClient
from tests.apps.run.needs import need_sandbox
from tests.e2e.harness.door import Config
from tests.e2e.harness.platform import Platform, assert_unharmed, platform
from tests.e2e.harness.waiting import wait_for
from tests.e2e.projects import sources

pytestmark = pytest.mark.long

MB = 1 << 20
APPS: dict[str, Config] = {
    "good": {"count": 2},
    "bomb": {},
    "flood": {},
    "filler": {"quota": "12M"},
    "hog": {"memory": "96M"},
    "deaf": {},
    "leaker": {"memory": "96M"},
    "daemon": {},
}
HARM = """\
import os, signal, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = "one"


def bomb():
    # Bounded here, too: it gives up at 700 by itself.
    for _ in range(700):
        if os.fork() == 0:
            time.sleep(300)
            os._exit(0)


def flood():
    for number in range(200_000):
        print(number, "x" * 100)
    print("the flood ends", flush=True)


def fill():
    for place in (os.environ["HOME"], os.environ["TMPDIR"]):
        with open(os.path.join(place, "big"), "wb") as file:
            for _ in range(20):
                file.write(bytes(1 << 20))


def hog():
    kept = [bytes(b"x") * (1 << 20) for _ in range(300)]
    time.sleep(300)


kept = []


def leak():
    # Up to 90 of the 96 MB, and no further.
    while held() < 90 << 20:
        kept.append(bytes(b"x") * (1 << 20))


def held():
    lines = open("/proc/self/smaps_rollup").read().splitlines()
    return int(next(line for line in lines if line.startswith("Pss:")).split()[1]) << 10


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        harm = {"/bomb": bomb, "/flood": flood, "/fill": fill, "/hog": hog, "/leak": leak}.get(self.path)
        body = VERSION.encode()
        if self.path == "/fill":
            try:
                fill()
            except OSError as error:
                body = str(error).encode()
        elif harm is not None:
            threading.Thread(target=harm, daemon=True).start()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_):
        pass


if "deaf" in os.environ.get("KIND", ""):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
ThreadingHTTPServer(("127.0.0.1", int(os.environ["LEANCLOUD_APP_PORT"])), Handler).serve_forever()
"""
HOSTILE = {**sources.PLAIN, "app.py": HARM}
DAEMON = {**sources.PLAIN, "leanengine.yaml": "run: python app.py > /dev/null 2>&1 < /dev/null & exit 0\n"}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    need_sandbox()
    with platform(APPS, isolation="auto") as both:
        both.deploy("good", sources.write(sources.PLAIN, tmp_path_factory.mktemp("good")))
        yield both


def last_cause(both: Platform, app: str) -> str:
    (instance,) = both.ps(app)["instances"]
    return str(instance.get("last_cause", ""))


def tail(both: Platform, app: str) -> str:
    """What the shim has read last, whether or not it was logged."""
    (instance,) = both.ps(app)["instances"]
    client = ShimClient(both.home.directory / "run" / instance["id"] / "ctl")
    return "".join(asyncio.run(client.ask("tail", count=5))["lines"])


@pytest.mark.parametrize(
    ("app", "cause"), [("bomb", "more than 512 processes"), ("hog", "was killed for memory (96 MB)")]
)
def test_what_takes_too_much_is_ended_and_started_again(both: Platform, tmp_path: Path, app: str, cause: str) -> None:
    both.deploy(app, sources.write(HOSTILE, tmp_path))
    with both.steady_load("good") as outcomes:
        assert both.text(app, f"/{app}") == "one"
        wait_for(lambda: cause in last_cause(both, app), f"{app} to be ended for its cause", 60.0)
        wait_for(lambda: both.ask(app).status == 200, "it to serve again", 60.0)
    assert_unharmed(outcomes)
    assert cause in both.command("logs", app, "-n", "100").out


def test_a_flood_of_lines_keeps_nobody_waiting(both: Platform, tmp_path: Path) -> None:
    # spec: G1
    both.deploy("flood", sources.write(HOSTILE, tmp_path))
    with both.steady_load("good") as outcomes, both.steady_load("flood", 1) as its_own:
        assert both.text("flood", "/flood") == "one"
        # It is said once a minute, so what shows that all was read is the app's own last line.
        wait_for(lambda: "the flood ends" in tail(both, "flood"), "all lines to be read", 60.0)
    assert_unharmed(outcomes)
    assert_unharmed(its_own)
    kept = both.home.directory / "apps" / "flood" / "production" / "logs"
    assert sum(path.stat().st_size for path in kept.iterdir()) < 2 * MB


def test_a_disk_filler_meets_its_quota_and_serves_on(both: Platform, tmp_path: Path) -> None:
    # spec: F1
    both.deploy("filler", sources.write(HOSTILE, tmp_path))
    with both.steady_load("good") as outcomes:
        assert "No space left on device" in both.text("filler", "/fill")
        assert both.text("filler") == "one"
        wait_for(lambda: sum(one.total() for one in outcomes) > 50, "requests to the neighbour")
    assert_unharmed(outcomes)


def test_one_that_leaks_is_replaced_before_it_is_killed(both: Platform, tmp_path: Path) -> None:
    # spec: A2
    both.deploy("leaker", sources.write(HOSTILE, tmp_path))
    (before,) = both.ps("leaker")["instances"]
    with both.steady_load("leaker") as outcomes:
        assert both.text("leaker", "/leak") == "one"
        wait_for(lambda: both.ps("leaker")["instances"][0]["id"] != before["id"], "another instance", 60.0)
        assert last_cause(both, "leaker") == "used more than 90 % of its memory"
        both.wait_drained("leaker")
    assert_unharmed(outcomes)


def test_one_that_is_deaf_to_sigterm_is_killed_and_costs_no_request(both: Platform, tmp_path: Path) -> None:
    # spec: A2
    both.command("env", "deaf", "set", "KIND=deaf")
    both.deploy("deaf", sources.write(HOSTILE, tmp_path))
    with both.steady_load("deaf") as outcomes:
        both.deploy("deaf", sources.write(HOSTILE, tmp_path, "two"))
        assert both.text("deaf") == "two"
        both.wait_drained("deaf")
    assert_unharmed(outcomes)
    assert "ignored SIGTERM until its time was up, and was killed" in both.command("logs", "deaf", "-n", "100").out


def test_one_that_leaves_the_foreground_is_told_to_stay(both: Platform, tmp_path: Path) -> None:
    failed = both.try_deploy("daemon", sources.write(DAEMON, tmp_path))
    assert failed.code == 1
    assert "left the foreground" in failed.err
