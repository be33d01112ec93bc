"""One command of a build: its limits, its log, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest

from lb.apps.build.build_log import BuildLog
from lb.apps.build.masking import Masker
from lb.apps.build.processes import Process, _process, end_leftovers, members
from lb.apps.build.settings import BuildCancelledError, BuildFailed, BuildLimits
from lb.apps.build.steps import Budget, StepRunner, _look_at

pytestmark = [pytest.mark.long, pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")]
ENVIRONMENT = {"PATH": os.defpath, "LANG": "C.UTF-8"}
PYTHON = sys.executable
Make = Callable[..., StepRunner]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def runner(limits: BuildLimits | None = None, tell: Callable[[str], None] = lambda _: None) -> StepRunner:
        log = BuildLog(tmp_path / "build.log", Masker(["hunter2hunter2"]), tell, verbose=True)
        return StepRunner(tmp_path, Budget(limits or BuildLimits()), log, asyncio.Event())

    return runner


def left(release: Path) -> list[int]:
    return [process.pid for process in members(release)]


def session_of(release: Path) -> int:
    """The session of the step that runs: that of its first process."""
    return next((process.session for process in members(release)), 0)


def is_alive(process: Process) -> bool:
    now = _process(process.pid)
    return now is not None and now.started == process.started and not now.zombie


async def started(path: Path) -> None:
    """Waits until a command has written its file."""
    until = monotonic() + 20
    while not os.path.exists(path):  # noqa: PTH110  it is on this machine
        assert monotonic() < until
        await asyncio.sleep(0.01)


async def test_output_goes_to_the_log(tmp_path: Path, make: Make) -> None:
    told: list[str] = []
    runner = make(tell=told.append)
    await runner.shell("Building", "echo out; echo err >&2; printf 'no end'", tmp_path, ENVIRONMENT)
    assert told == ["       out", "       err", "       no end"]
    assert (tmp_path / "build.log").read_text() == "       out\n       err\n       no end\n"


async def test_a_failure_has_the_status_and_the_last_lines(tmp_path: Path, make: Make) -> None:
    command = "for n in $(seq 80); do echo line $n; done; exit 3"
    with pytest.raises(BuildFailed) as raised:
        await make().shell("Building", command, tmp_path, ENVIRONMENT)
    failed = raised.value
    assert (failed.step, failed.sentence) == ("Building", "it failed with exit status 3")
    assert failed.tail == tuple(f"line {n}" for n in range(31, 81))


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("no-such-command", "it failed with exit status 127: a command in it was not found"),
        ("kill -SEGV $$", "it was ended by SIGSEGV"),
    ],
)
async def test_how_it_ended(tmp_path: Path, make: Make, command: str, sentence: str) -> None:
    with pytest.raises(BuildFailed) as raised:
        await make().shell("Building", command, tmp_path, ENVIRONMENT)
    assert raised.value.sentence == sentence


async def test_only_the_failed_steps_lines_are_shown(tmp_path: Path, make: Make) -> None:
    runner = make()
    await runner.shell("One", "echo one", tmp_path, ENVIRONMENT)
    with pytest.raises(BuildFailed) as raised:
        await runner.shell("Two", "echo two; false", tmp_path, ENVIRONMENT)
    assert raised.value.tail == ("two",)


TREE = "sleep 1000 & (setsid sleep 1000 &) ; env -i setsid sleep 1000 & touch started; wait"
DAEMON = "setsid sh -c 'sleep 1000' >/dev/null 2>&1 & touch started"


async def test_cancelling_ends_the_whole_tree(tmp_path: Path, make: Make) -> None:
    runner = make()
    step = asyncio.create_task(runner.shell("Building", TREE, tmp_path, ENVIRONMENT))
    await started(tmp_path / "started")
    until = monotonic() + 20
    while len(found := members(tmp_path, session_of(tmp_path))) < 4:  # the shell, and three times sleep
        assert monotonic() < until
        await asyncio.sleep(0.01)
    runner.cancelled.set()
    with pytest.raises(BuildCancelledError):
        await step
    assert left(tmp_path) == []
    assert not [process for process in found if is_alive(process)]


async def test_what_has_left_session_and_mark_is_ended_if_it_was_seen(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[tuple[list[Process], int]] = []

    def look(release: Path, session: int, memory: int | None) -> tuple[list[Process], int]:
        looks.append(_look_at(release, session, memory))
        return looks[-1]

    monkeypatch.setattr("lb.apps.build.steps._look_at", look)
    runner = make()
    command = "env -i setsid sleep 1000 & touch started; while [ ! -e go ]; do sleep 0.05; done"
    step = asyncio.create_task(runner.shell("Building", command, tmp_path, ENVIRONMENT))
    await started(tmp_path / "started")
    until = monotonic() + 20
    while not (looks and (found := [one for one in looks[-1][0] if one.session == one.pid])[1:]):
        assert monotonic() < until
        await asyncio.sleep(0.01)
    (tmp_path / "go").touch()
    await step
    assert not [process for process in found if is_alive(process)]


async def test_a_cancelled_task_ends_the_whole_tree(tmp_path: Path, make: Make) -> None:
    step = asyncio.create_task(make().shell("Building", TREE, tmp_path, ENVIRONMENT))
    await started(tmp_path / "started")
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
    assert left(tmp_path) == []


async def test_nothing_is_left_in_the_background(tmp_path: Path, make: Make) -> None:
    await make().shell("Building", DAEMON, tmp_path, ENVIRONMENT)
    assert left(tmp_path) == []


async def test_what_a_killed_engine_left_is_ended(tmp_path: Path) -> None:
    child = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", TREE, cwd=tmp_path, env={**ENVIRONMENT, "LB_BUILD": str(tmp_path)}, start_new_session=True
    )
    await started(tmp_path / "started")
    assert await end_leftovers(tmp_path)
    assert await child.wait() < 0
    assert left(tmp_path) == []


async def test_the_clock_is_bounded(tmp_path: Path, make: Make) -> None:
    # spec: B13
    with pytest.raises(BuildFailed) as raised:
        await make(BuildLimits(timeout=0.3)).shell("Building", "sleep 9999 & wait", tmp_path, ENVIRONMENT)
    assert raised.value.sentence == "the build took longer than 300ms"
    assert left(tmp_path) == []


async def test_cpu_time_of_the_whole_tree_is_bounded(tmp_path: Path, make: Make) -> None:
    # spec: B13
    spin = "(while :; do :; done) & (setsid sh -c 'while :; do :; done') & wait"
    with pytest.raises(BuildFailed) as raised:
        await make(BuildLimits(cpu_time=1.0, timeout=60)).shell("Building", spin, tmp_path, ENVIRONMENT)
    assert raised.value.sentence == "the build used more than 1s of CPU time"
    assert left(tmp_path) == []


async def test_cpu_time_is_counted_over_all_steps(tmp_path: Path, make: Make) -> None:
    runner = make(BuildLimits(cpu_time=0.5, timeout=60))
    burn = f"{PYTHON} -I -S -c 'import time\nwhile time.process_time() < 0.4: pass'"
    await runner.shell("One", burn, tmp_path, ENVIRONMENT)
    assert runner.budget.cpu_used >= 0.4
    with pytest.raises(BuildFailed, match="CPU time"):
        await runner.shell("Two", "while :; do :; done", tmp_path, ENVIRONMENT)


async def test_memory_of_all_processes_together_is_bounded(tmp_path: Path, make: Make) -> None:
    # spec: B13
    hold = f"{PYTHON} -I -S -c 'import time; x = b\"x\" * (60 << 20); time.sleep(100)'"
    with pytest.raises(BuildFailed) as raised:
        await make(BuildLimits(memory=100 << 20)).shell("Building", f"{hold} & {hold} & wait", tmp_path, ENVIRONMENT)
    assert raised.value.sentence == "the build used more than 100M of memory"
    assert left(tmp_path) == []


async def test_memory_of_one_process_is_bounded_at_once(tmp_path: Path, make: Make) -> None:
    grab = f"{PYTHON} -I -S -c 'x = bytes(400 << 20)'"
    with pytest.raises(BuildFailed) as raised:
        await make(BuildLimits(memory=200 << 20)).shell("Building", grab, tmp_path, ENVIRONMENT)
    assert "MemoryError" in raised.value.tail[-1]
    assert raised.value.next_step == "engine.build.memory sets how much memory a build gets"


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs sched_setaffinity")
async def test_cores_are_bounded(tmp_path: Path, make: Make) -> None:
    # spec: B13
    show = f"{PYTHON} -I -S -c 'import os; print(len(os.sched_getaffinity(0)))'"
    told: list[str] = []
    await make(BuildLimits(cpus=1), told.append).shell("Building", show, tmp_path, ENVIRONMENT)
    assert told == ["       1"]


async def test_secrets_are_masked_wherever_they_are_shown(tmp_path: Path, make: Make) -> None:
    told: list[str] = []
    command = "echo a hunter2hunter2 b; echo https://user:pass@index.example/simple; false"
    with pytest.raises(BuildFailed) as raised:
        await make(tell=told.append).shell("Building", command, tmp_path, ENVIRONMENT)
    shown = "\n".join((*told, *raised.value.tail, (tmp_path / "build.log").read_text()))
    assert "hunter2" not in shown
    assert "pass" not in shown
    assert "https://****@index.example/simple" in shown


async def test_a_flood_neither_blocks_nor_grows(tmp_path: Path, make: Make) -> None:
    told: list[int] = []
    runner = make(tell=lambda line: told.append(len(line)))
    flood = "head -c 3000000 /dev/zero | tr '\\0' x; echo; yes line | head -n 100000"
    await runner.shell("Building", flood, tmp_path, ENVIRONMENT)
    assert told[0] == 4096 + 7
    assert len(told) == 100_001
    assert (tmp_path / "build.log").stat().st_size < 2_000_000
