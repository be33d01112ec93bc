"""How long a deploy takes, how long the old version stays, and what a shim costs: the promised figures, measured."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from lb.apps.run.run_directory import directories
from tests.e2e.harness.platform import Platform, assert_unharmed, platform
from tests.e2e.harness.waiting import wait_for
from tests.e2e.harness.wheels import make_index
from tests.e2e.projects import sources

pytestmark = [pytest.mark.long, pytest.mark.slow, pytest.mark.timeout(400)]

MIB = 1 << 20
APPS = {"flask": {}, "short": {"drain": "30s"}, "patient": {"drain": "2m"}}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    index = make_index(tmp_path_factory.mktemp("wheels"), "flask", "fastapi", "websockets", "gunicorn", "uvicorn")
    with platform(APPS, index=index, hurried=False, isolation="auto") as both:
        yield both


def test_a_first_deploy_cold_then_warm_and_the_switch(both: Platform, tmp_path: Path) -> None:
    cold = seconds(lambda: both.deploy("flask", sources.write(sources.FLASK, tmp_path)))
    print(f"cold: {cold:.1f} s")
    assert cold <= 30
    warm = seconds(lambda: both.deploy("flask", sources.write(sources.FLASK, tmp_path, "two")))
    print(f"warm: {warm:.1f} s")
    assert warm <= 5
    for place in directories(both.home.directory / "run"):
        record = place.read_instance()
        assert record is not None
        shim = proportional_memory(record["shim"]["pid"])
        print(f"shim: {shim / MIB:.1f} MiB")
        assert shim <= 8 * MIB  # 4 to 5 where several shims share their Python; few run here


def seconds(act: object) -> float:
    """How long it takes."""
    begun = time.monotonic()
    assert callable(act)
    act()
    return time.monotonic() - begun


def proportional_memory(pid: int) -> int:
    """PSS in bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    (found,) = [line.split()[1] for line in lines if line.startswith("Pss:")]
    return int(found) << 10


@pytest.mark.parametrize(("app", "least", "most"), [("short", 29.0, 45.0), ("patient", 118.0, 140.0)])
def test_a_web_socket_lives_on_as_long_as_drain_says(
    both: Platform, tmp_path: Path, app: str, least: float, most: float
) -> None:
    # spec: A2 F4
    both.deploy(app, sources.write(sources.FASTAPI, tmp_path))
    with connect(f"ws://{app}.example.com/echo", sock=both.domain(app).connect().sock) as socket:
        socket.send("hello")
        assert socket.recv(10) == "one hello"
        with both.steady_load(app) as outcomes:
            both.deploy(app, sources.write(sources.FASTAPI, tmp_path, "two"))
            switched = time.monotonic()
            ended = threading.Event()

            def talk() -> None:
                try:
                    while True:
                        socket.send("more")
                        assert socket.recv(10) == "one more"
                        ended.wait(0.5)
                except ConnectionClosed:
                    ended.set()

            talking = threading.Thread(target=talk)
            talking.start()
            assert ended.wait(most), "the old version outlives its drain"
            assert time.monotonic() - switched >= least
            talking.join(10)
            both.wait_drained(app)
        assert_unharmed(outcomes)


def test_a_switch_takes_less_than_a_second(both: Platform, tmp_path: Path) -> None:
    """From the last instance's being healthy to the first answer of the new version, as a client sees it."""
    both.deploy("flask", sources.write(sources.FLASK, tmp_path, "before"))
    project = sources.write(sources.FLASK, tmp_path, "after")
    process = both.home.popen("deploy", "flask", str(project), "--prod", PYTHONUNBUFFERED="1")
    assert process.stdout is not None
    for line in process.stdout:
        if "web1 is healthy" in line:
            break
    begun = time.monotonic()
    wait_for(lambda: both.text("flask").startswith("after"), "the new version")
    took = time.monotonic() - begun
    print(f"switch: {took:.2f} s")
    process.communicate(timeout=60)
    assert took <= 1
