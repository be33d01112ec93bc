"""Real instances, on each rung: started, asked, adopted, ended, and nothing left of them."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lb.apps.run import process_tree
from lb.apps.run.identity import Identity
from lb.apps.run.instance import LaunchedInstance, LaunchError, adopt, launch
from lb.apps.run.log_files import read_last
from lb.apps.run.order import Isolation, LogLimits
from lb.apps.run.run_directory import RunDirectory
from tests.apps.run.conftest import Instances
from tests.apps.run.making import TAG, order, project, python, survivors
from tests.apps.run.waiting import until, until_line

pytestmark = pytest.mark.long
TOP = Path(__file__).parents[3]

SLEEPS = "echo ready; exec sleep 300"
GENTLE = python(
    'import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (print("bye"), sys.exit(0))); '
    'print("ready"); time.sleep(300)'
)


async def test_it_ends_at_sigterm_and_says_how(instances: Instances, tmp_path: Path, rung: Isolation) -> None:
    running = await instances.start(order(tmp_path, GENTLE, isolation=rung))
    await until_line(running, "ready")
    ended = await running.terminate()
    assert (ended.status, ended.signal, ended.asked, ended.clean) == (0, None, True, True)
    assert ended.lines == ("ready", "bye")
    assert survivors(running) == []


async def test_sigterm_itself_is_a_clean_end(instances: Instances, tmp_path: Path, rung: Isolation) -> None:
    running = await instances.start(order(tmp_path, SLEEPS, isolation=rung))
    await until_line(running, "ready")
    ended = await running.terminate()
    assert (ended.signal, ended.clean) == (signal.SIGTERM, True)


# spec: D1
async def test_one_that_ignores_sigterm_is_killed_when_its_time_is_up(
    instances: Instances, tmp_path: Path, rung: Isolation
) -> None:
    ignores = python('import signal, time; signal.signal(15, signal.SIG_IGN); print("ready"); time.sleep(300)')
    running = await instances.start(order(tmp_path, ignores, isolation=rung))
    await until_line(running, "ready")
    ended = await running.terminate(grace=0.3)
    assert ended.signal == signal.SIGKILL
    assert not ended.clean
    assert ended.sentence() == "ignored SIGTERM until its time was up, and was killed"
    assert survivors(running) == []


async def test_a_shell_that_waits_lets_its_command_end_well(
    instances: Instances, tmp_path: Path, rung: Isolation
) -> None:
    running = await instances.start(order(tmp_path, f"cd . && {GENTLE}", isolation=rung))
    await until_line(running, "ready")
    ended = await running.terminate()
    assert "bye" in ended.lines
    assert ended.clean
    assert survivors(running) == []


async def test_a_shell_that_goes_on_is_told_itself(instances: Instances, tmp_path: Path) -> None:
    running = await instances.start(order(tmp_path, "echo ready; while :; do sleep 0.1; done"))
    await until_line(running, "ready")
    ended = await running.terminate(grace=10)
    assert ended.signal == signal.SIGTERM
    assert survivors(running) == []


async def test_a_crash_is_seen_with_its_last_lines(instances: Instances, tmp_path: Path, rung: Isolation) -> None:
    running = await instances.start(order(tmp_path, "echo one; printf two >&2; exit 3", isolation=rung))
    ended = await running.wait_exit()
    assert (ended.status, ended.asked) == (3, False)
    assert set(ended.lines) == {"one", "two"}
    assert ended.sentence() == "exited with status 3"
    assert await running.last_lines() == ended.lines


async def test_a_signal_is_seen_as_one(instances: Instances, tmp_path: Path, rung: Isolation) -> None:
    running = await instances.start(order(tmp_path, python("import os; os.kill(os.getpid(), 11)"), isolation=rung))
    assert (await running.wait_exit()).sentence() == "was killed by SIGSEGV"


async def test_a_command_that_is_not_there_is_said(instances: Instances, tmp_path: Path) -> None:
    running = await instances.start(order(tmp_path, "sleep 1", project=tmp_path / "gone"))
    ended = await running.wait_exit()
    assert ended.cause == "start"
    assert "gone" in ended.sentence()


# spec: E1
async def test_nothing_of_the_engine_s_environment_reaches_the_app(
    instances: Instances, tmp_path: Path, rung: Isolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGINE_SECRET", "hidden")
    code = 'import json, os; print(json.dumps(dict(os.environ))); print(os.listdir("/proc/self/fd"))'
    running = await instances.start(order(tmp_path, python(code), isolation=rung, variables={"GREETING": "a b\nc=é"}))
    ended = await running.wait_exit()
    seen = json.loads(ended.lines[0])
    assert "ENGINE_SECRET" not in seen
    assert seen["GREETING"] == "a b\nc=é"
    assert seen["LEANCLOUD_APP_ID"] == seen["LC_APP_ID"] == "id-1"
    assert int(seen["LEANCLOUD_APP_PORT"]) == running.port
    unknown = {name for name in seen if not name.startswith(("LEANCLOUD_", "LC_", "LB_", "PYTHON"))}
    assert unknown <= {
        "GREETING", "PATH", "PORT", "HOME", "TMPDIR", "TZ", "LANG", "WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS",
        "VIRTUAL_ENV", "PWD",
    }  # fmt: skip
    assert sorted(eval(ended.lines[1])) == ["0", "1", "2", "3"]  # 3 is the directory itself


async def test_secrets_stand_in_no_argv_and_in_no_file(instances: Instances, tmp_path: Path, rung: Isolation) -> None:
    secret = "s3cr3t-of-the-app"
    running = await instances.start(order(tmp_path, SLEEPS, isolation=rung, variables={"TOKEN": secret}))
    await until_line(running, "ready")
    below = await running.pids()
    assert below
    for pid in [*below, running._shim.pid if running._shim else 0]:
        assert secret.encode() not in process_tree.read(f"/proc/{pid}/cmdline")
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path


# spec: F1
async def test_home_and_tmp_are_fresh_and_writable_and_go_with_the_instance(
    instances: Instances, tmp_path: Path, rung: Isolation
) -> None:
    seen = {
        "app",
        "",
        *Path(sys.prefix).parts,
        *tmp_path.parts,
    }  # what a sandbox shows of the machine may be below /tmp
    writes = "ls -A $HOME $TMPDIR; echo x > $HOME/a && echo y > $TMPDIR/b && cat $HOME/a $TMPDIR/b; pwd"
    for _ in range(2):
        running = await instances.start(order(tmp_path, writes, isolation=rung))
        ended = await running.wait_exit()
        lines = [line for line in ended.lines if not line.endswith(":") and line not in seen]
        assert lines[:2] == ["x", "y"], ended.lines
        running.forget()
    assert not list((tmp_path / "files").glob("*")) if rung is Isolation.NONE else lines[2] == "/home/leanengine/app"
    assert list(instances.root.iterdir()) == []


async def test_a_release_cannot_be_written_in_a_sandbox_and_others_are_not_seen(
    instances: Instances, tmp_path: Path, sandbox: Isolation
) -> None:
    (tmp_path / "other").mkdir()
    command = f"touch app.py; touch {tmp_path}/release/x; touch /x /usr/x; ls {tmp_path}/other; cat /etc/shadow | wc -c"
    running = await instances.start(order(tmp_path, command, isolation=sandbox))
    ended = await running.wait_exit()
    assert sum("Read-only file system" in line for line in ended.lines) == 4
    assert any("other" in line and "No such file" in line for line in ended.lines)
    assert ended.lines[-1] == "0"


async def test_what_it_writes_is_logged_with_its_stream_and_tag(instances: Instances, tmp_path: Path) -> None:
    wanted = order(tmp_path, "echo out; sleep 0.05; echo err >&2; sleep 0.05; printf end")
    running = await instances.start(wanted)
    await running.wait_exit()
    lines = read_last(wanted.log_dir, 30)
    assert [(line.stream, line.text) for line in lines] == [
        ("lb", "started"),
        ("out", "out"),
        ("err", "err"),
        ("out", "end"),
        ("lb", "exited with status 0"),
    ]
    assert {(line.instance, line.tag) for line in lines} == {("web1", TAG)}


async def test_usage_is_seen(instances: Instances, tmp_path: Path, rung: Isolation) -> None:
    fills = python(
        'import os, time; open(os.environ["HOME"] + "/big", "wb").write(bytes(1 << 20)); '
        'print("ready"); time.sleep(300)'
    )
    running = await instances.start(order(tmp_path, fills, isolation=rung))
    await until_line(running, "ready")
    usage = await running.statistics()
    assert 1 << 20 < usage.memory < 100 << 20
    assert usage.processes == (1 if rung is Isolation.NONE else 3)
    assert usage.descriptors >= 3
    assert usage.lines == 1

    async def files() -> bool:
        return (await running.statistics()).files >= 1 << 20

    await until(files, "the file to be counted")
    await running.kill()
    assert (await running.statistics()).processes == 0


# The engine goes and comes back.


async def test_a_running_instance_is_adopted_and_ended(instances: Instances, tmp_path: Path, rung: Isolation) -> None:
    running = await instances.start(order(tmp_path, GENTLE, isolation=rung))
    await until_line(running, "ready")
    [found] = await adopt(instances.root)
    assert found.facts == running.facts
    assert not found.ended
    assert (await found.terminate()).clean
    assert found.ended
    found.forget()
    assert await adopt(instances.root) == []


async def test_it_outlives_the_process_that_started_it(instances: Instances, tmp_path: Path) -> None:
    """The engine is killed by SIGKILL, with its whole process group."""
    script = tmp_path / "engine.py"
    script.write_text(
        "import asyncio, os, pathlib, signal, sys\n"
        "from lb.apps.run.instance import launch\n"
        "from tests.apps.run.making import order\n"
        "tmp = pathlib.Path(sys.argv[1])\n"
        "running = asyncio.run(launch(order(tmp, 'echo ready; exec sleep 300'), tmp / 'run'))\n"
        "os.killpg(0, signal.SIGKILL)\n"
    )
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, str(script), str(tmp_path)],
        start_new_session=True,
        env={"PYTHONPATH": str(TOP)},
    )
    assert done.returncode == -signal.SIGKILL
    [found] = await adopt(instances.root)
    instances.started.append(found)
    await until_line(found, "ready")
    assert (await found.terminate()).clean


async def test_one_that_ended_while_the_engine_was_away_still_says_how(instances: Instances, tmp_path: Path) -> None:
    running = await instances.start(order(tmp_path, "echo last words; exit 4"))
    await running.wait_exit()
    await until(lambda: _gone(running), "the shim to end")
    [found] = await adopt(instances.root)
    ended = await found.wait_exit()
    assert (ended.status, ended.lines) == (4, ("last words",))


async def _gone(running: LaunchedInstance) -> bool:
    return running._shim is not None and not running._shim.alive()


async def test_a_shim_that_is_killed_takes_its_app_with_it(
    instances: Instances, tmp_path: Path, rung: Isolation
) -> None:
    leaves = python('import os, time; os.fork() or os.setsid(); os.write(1, b"ready\\n"); time.sleep(300)')
    running = await instances.start(order(tmp_path, leaves, isolation=rung))
    await until_line(running, "ready", times=2)
    assert running._shim is not None
    assert running._shim.send(signal.SIGKILL)
    ended = await running.wait_exit()
    assert ended.cause == "lost"

    async def nothing_left() -> bool:
        return survivors(running) == []

    await until(nothing_left, "the app to end")
    [found] = await adopt(instances.root)
    assert (await found.wait_exit()).cause == "lost"


async def test_a_shim_that_hangs_is_ended_with_all_it_has(
    instances: Instances, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lb.apps.run.shim_client._PATIENCE", 0.2)
    running = await instances.start(order(tmp_path, SLEEPS))
    await until_line(running, "ready")
    assert running._shim is not None
    running._shim.send(signal.SIGSTOP)
    assert [found.facts for found in await adopt(instances.root)] == [running.facts]  # it is ours, though it hangs
    assert (await running.kill()).cause == "lost"
    assert survivors(running) == []


async def test_a_stranger_with_the_pid_of_a_shim_is_never_signalled(instances: Instances, tmp_path: Path) -> None:
    stranger = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import time; print(1, flush=True); time.sleep(300)", stdout=-1
    )
    assert stranger.stdout is not None
    await stranger.stdout.readline()
    running = await instances.start(order(tmp_path, SLEEPS))
    await running.kill()
    record = {"v": 1, "facts": json.loads(json.dumps(_facts(running)))}
    identity = Identity.of(stranger.pid)
    for start in (identity.start, identity.start + 1):  # a forged record, and a pid that was used again
        shim = {"pid": stranger.pid, "start": start, "boot": identity.boot}
        place = RunDirectory(instances.root / running.id)
        (place.path / "exit.json").unlink(missing_ok=True)
        place.instance_record.write_text(json.dumps({**record, "shim": shim}))
        [found] = await adopt(instances.root)
        assert (await found.kill()).cause == "lost"
        assert (await found.terminate()).cause == "lost"
        assert stranger.returncode is None
    stranger.kill()
    assert await stranger.wait() == -signal.SIGKILL


def _facts(running: LaunchedInstance) -> dict[str, object]:
    return {name: getattr(running.facts, name) for name in running.facts.__dataclass_fields__}


async def test_after_a_reboot_nothing_is_found(instances: Instances, tmp_path: Path) -> None:
    running = await instances.start(order(tmp_path, SLEEPS))
    place = RunDirectory(instances.root / running.id)
    before = place.instance_record.read_text()
    record = json.loads(before)
    await running.kill()
    record["shim"]["boot"] = "another boot"
    place.instance_record.write_text(json.dumps(record))
    assert await adopt(instances.root) == []
    assert list(instances.root.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"facts": 3}', '{"facts": {"id": "x"}, "shim": {}}'])
async def test_a_record_that_is_none_is_cleared_away(instances: Instances, text: str) -> None:
    place = RunDirectory(instances.root / "1a2b3c4d")
    place.make()
    place.instance_record.write_text(text)
    assert await adopt(instances.root) == []
    assert not place.path.exists()


async def test_a_newer_shim_s_record_is_understood(instances: Instances, tmp_path: Path) -> None:
    running = await instances.start(order(tmp_path, SLEEPS))
    place = RunDirectory(instances.root / running.id)
    record = json.loads(place.instance_record.read_text())
    record["facts"]["colour"] = "blue"
    record["v"] = 2
    place.instance_record.write_text(json.dumps(record))
    [found] = await adopt(instances.root)
    assert found.facts == running.facts


# What cannot be started.


async def test_a_port_pool_that_is_used_up_is_said(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(LaunchError, match=r"no port of .* is free"):
        await launch(order(tmp_path, SLEEPS, ports=range(0)), tmp_path / "run")


async def test_a_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="The instance's directory could not be made"):
        await launch(order(tmp_path, SLEEPS), tmp_path / "not" / "there")


async def test_a_start_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir()
    monkeypatch.setattr("lb.apps.run.instance._START", tmp_path / "no_such_shim.py")
    with pytest.raises(LaunchError, match=r"The shim could not begin: .*no_such_shim"):
        await launch(order(tmp_path, SLEEPS), tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []
    assert not list((tmp_path / "files").iterdir())


async def test_a_long_run_directory_gets_short_sockets(tmp_path: Path, instances: Instances) -> None:
    deep = tmp_path / ("d" * 100)
    instances.root = deep
    deep.mkdir()
    running = await instances.start(order(tmp_path, SLEEPS))
    await until_line(running, "ready")
    assert [found.id for found in await adopt(deep)] == [running.id]
    await running.kill()


async def test_a_cancelled_start_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    task = asyncio.create_task(launch(order(tmp_path, SLEEPS), tmp_path / "run"))

    async def begun() -> bool:
        return any((tmp_path / "run").iterdir())

    await until(begun, "the start to begin")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list((tmp_path / "run").iterdir()) == []

    async def nothing() -> bool:
        return not [
            pid for pid in process_tree.pids() if str(tmp_path).encode() in process_tree.read(f"/proc/{pid}/cmdline")
        ]

    await until(nothing, "the shim to end")


async def test_the_log_limits_of_the_order_hold(instances: Instances, tmp_path: Path) -> None:
    wanted = order(tmp_path, "echo 123456789; for i in 1 2 3 4 5 6; do echo $i; done", logs=LogLimits(line=4, rate=3))
    running = await instances.start(wanted)
    await running.wait_exit()
    texts = [line.text for line in read_last(wanted.log_dir, 30)]
    assert texts == [
        "started",
        "1234",
        "1",
        "2",
        "4 lines were dropped: the app wrote more than 3 lines in a minute",
        "exited with status 0",
    ]


async def test_its_project_is_where_it_runs(instances: Instances, tmp_path: Path, rung: Isolation) -> None:
    project(tmp_path, app_py="print('from', __file__)")
    running = await instances.start(order(tmp_path, "python app.py", isolation=rung))
    [line] = (await running.wait_exit()).lines
    assert line.startswith("from ")
    assert line.endswith("app.py")
