"""Apps that do harm: each hurts only itself, is ended with its cause in words, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import pytest

from lb.apps.run import process_tree, shim_child
from lb.apps.run.log_files import read_last
from lb.apps.run.order import Isolation
from tests.apps.run.conftest import Instances
from tests.apps.run.making import order, project, python, survivors
from tests.apps.run.waiting import until, until_line

pytestmark = pytest.mark.long

MB = 1 << 20


async def test_more_processes_than_allowed_end_it(instances: Instances, tmp_path: Path, rung: Isolation) -> None:
    """Bounded here: it stops at 60 by itself, so that a machine without limits survives the test."""
    code = 'import os, time; print("ready"); [os.fork() or time.sleep(300) for _ in range(60)]; time.sleep(300)'
    running = await instances.start(order(tmp_path, python(code), isolation=rung, pids=30))
    ended = await running.wait_exit()
    if ended.cause:  # root has no RLIMIT_NPROC: the shim counts
        assert ended.sentence() == "was ended because it had more than 30 processes"
    else:
        assert any("BlockingIOError" in line for line in ended.lines)
    assert survivors(running) == []


async def test_a_fork_bomb_of_an_ordinary_user_is_bounded_by_the_kernel() -> None:
    interpreter = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if os.getuid() != 0 or shutil.which("setpriv") is None or interpreter is None:
        pytest.skip("needs root, setpriv and a Python for everybody, to become a user that owns nothing else")
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        top = Path(place)
        top.chmod(0o755)
        run = top / "lb" / "apps" / "run"
        run.mkdir(parents=True)
        for name in ("shim_child.py", "process_tree.py"):
            shutil.copy(Path(shim_child.__file__).with_name(name), run / name)
        (top / "bomb.py").write_text(_BOMB.format(top=place))
        process = await asyncio.create_subprocess_exec(
            *("setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups", interpreter, str(top / "bomb.py")),
            stdout=-1, stderr=-1, env={"PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        said, complaints = await process.communicate()
    assert said.split()[:1] == [b"bounded"], (said, complaints)
    assert [pid for pid in process_tree.pids() if _owner(pid) == 54321] == []


_BOMB = """
import resource, os, sys, json, time
sys.path.insert(0, {top!r})
sys.dont_write_bytecode = True
here = {top!r} + "/lb/apps/run"
for name, place in (("lb", here[:-9]), ("lb.apps", here[:-4]), ("lb.apps.run", here)):
    package = type(sys)(name)
    package.__path__ = [place]
    sys.modules[name] = package
from lb.apps.run import shim_child, process_tree
os.chdir("/")
shim_child.adopt_orphans()
bomb = "import os\\nwhile True:\\n    try:\\n        os.fork()\\n    except OSError:\\n        pass"
child = shim_child.AppProcess(dict(argv=[sys.executable, "-S", "-c", bomb], env=dict(), cwd="/", limits=dict(pids=40)))
most = 0
end = time.monotonic() + 10
while most < 40 and time.monotonic() < end:
    most = max(most, len(process_tree.all_descendants(os.getpid())))
print("bounded" if 30 <= most <= 42 else "not bounded", most, flush=True)
while process_tree.all_descendants(os.getpid()):
    for number in (19, 9):
        for pid in process_tree.all_descendants(os.getpid()):
            try:
                os.kill(pid, number)
            except OSError:
                pass
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        break
"""


def _owner(pid: int) -> int:
    try:
        return Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        return -1


# spec: G1
async def test_a_flood_of_lines_is_read_dropped_and_counted(
    instances: Instances, tmp_path: Path, rung: Isolation
) -> None:
    flood = python(
        'print("x" * 60 + "\\n", end=""); [print(number, "y" * 60) for number in range(200000)]; print("done")'
    )
    wanted = order(tmp_path, flood, isolation=rung)
    running = await instances.start(wanted)
    ended = await running.wait_exit()
    assert ended.lines[-1] == "done"
    lines = read_last(wanted.log_dir, 1000)
    assert sum(line.stream == "out" for line in lines) == 600
    [said] = [line.text for line in lines if "dropped" in line.text]
    assert said == "199402 lines were dropped: the app wrote more than 600 lines in a minute"


async def test_an_endless_line_costs_no_memory(instances: Instances, tmp_path: Path) -> None:
    code = (
        'import sys; [sys.stdout.write("z" * 65536) for _ in range(1000)]; '
        'print("ready", file=sys.stderr); import time; time.sleep(300)'
    )
    running = await instances.start(order(tmp_path, python(code)))
    await until_line(running, "ready")
    assert running._shim is not None
    assert process_tree.resident(running._shim.pid) < 30 * MB
    await running.kill()


async def test_an_app_that_closes_its_streams_is_still_seen(instances: Instances, tmp_path: Path) -> None:
    running = await instances.start(
        order(
            tmp_path,
            python('import os; print("ready", flush=True); os.close(1); os.close(2); import time; time.sleep(300)'),
        )
    )
    await until_line(running, "ready")
    assert (await running.terminate()).signal == signal.SIGTERM


# spec: F1
async def test_a_disk_filler_in_a_sandbox_hits_its_quota_alone(
    instances: Instances, tmp_path: Path, sandbox: Isolation
) -> None:
    code = (
        'import os\nfor place in (os.environ["HOME"], "/tmp"):\n'
        '    try:\n        with open(place + "/big", "wb") as file:\n            '
        "[file.write(bytes(1 << 20)) for _ in range(9)]\n"
        '        print(place, "fits")\n    except OSError as error:\n        print(place, error.strerror)'
    )
    running = await instances.start(order(tmp_path, python(code), isolation=sandbox, quota=12 * MB))
    ended = await running.wait_exit()
    assert ended.lines == ("/home/leanengine fits", "/tmp No space left on device")


# spec: F1
async def test_a_disk_filler_without_a_sandbox_is_warned_and_ended(instances: Instances, tmp_path: Path) -> None:
    code = (
        'import os, time\nfor number in range(3):\n    with open(os.environ["TMPDIR"] + str(number), "wb") as file:\n'
        '        pass\n    with open(os.path.join(os.environ["TMPDIR"], str(number)), "wb") as file:\n'
        "        [file.write(os.urandom(1 << 20)) for _ in range(9)]\ntime.sleep(300)"
    )
    wanted = order(tmp_path, python(code), quota=12 * MB)
    running = await instances.start(wanted)
    ended = await running.wait_exit()
    assert ended.sentence() == "was ended because its files exceeded the quota (12 MB)"
    assert any("Disk quota exceeded: home and /tmp hold 2" in line.text for line in read_last(wanted.log_dir, 30))
    running.forget()
    assert not list((tmp_path / "files").iterdir())


async def test_a_single_file_cannot_exceed_the_quota(instances: Instances, tmp_path: Path) -> None:
    code = (
        'import os\ntry:\n    with open(os.environ["TMPDIR"] + "/big", "wb") as file:\n        '
        "[file.write(bytes(1 << 20)) for _ in range(20)]\n"
        "except OSError as error:\n    print(error.strerror)"
    )
    running = await instances.start(order(tmp_path, python(code), quota=2 * MB))
    assert (await running.wait_exit()).lines == ("File too large",)


async def test_a_memory_hog_is_killed_with_its_limit_in_words(
    instances: Instances, tmp_path: Path, rung: Isolation
) -> None:
    code = 'import time; kept = [bytes(b"x") * (1 << 20) for _ in range(80)]; print("ready"); time.sleep(300)'
    running = await instances.start(order(tmp_path, python(code), isolation=rung, memory=64 * MB))
    ended = await running.wait_exit()
    assert ended.cause == "memory"
    assert ended.sentence() == "was killed for memory (64 MB)"
    assert survivors(running) == []


async def test_memory_near_its_limit_asks_for_a_replacement(instances: Instances, tmp_path: Path) -> None:
    code = 'import time; kept = bytes(b"x") * (58 << 20); print("ready"); time.sleep(300)'
    running = await instances.start(order(tmp_path, python(code), memory=68 * MB))
    await until_line(running, "ready")

    async def high() -> bool:
        return (await running.statistics()).memory_high

    await until(high, "the limit to be near")
    assert not running.ended


async def test_forked_workers_that_share_memory_are_counted_once(instances: Instances, tmp_path: Path) -> None:
    """The sum of their RSS is over the limit, the sum of their PSS is not."""
    code = (
        'import os, time\nkept = bytes(b"x") * (30 << 20)\n[os.fork() or time.sleep(300) for _ in range(4)]\n'
        'print("ready")\ntime.sleep(300)'
    )
    running = await instances.start(order(tmp_path, python(code), memory=110 * MB))
    await until_line(running, "ready")
    shim_ticks = time.monotonic() + 2.5

    async def counted() -> bool:
        return running.ended or time.monotonic() > shim_ticks

    await until(counted, "two counts")
    assert not running.ended


_DAEMON = (
    "import os, sys, time\nif os.fork():\n    sys.exit(0)\nos.setsid()\nif os.fork():\n    sys.exit(0)\n"
    'print("daemon", flush=True)\ntime.sleep(300)'
)


async def test_one_that_leaves_the_foreground_is_ended_and_said(instances: Instances, tmp_path: Path) -> None:
    running = await instances.start(order(tmp_path, python(_DAEMON)))
    ended = await running.wait_exit()
    assert ended.left_foreground
    assert ended.sentence().startswith("left the foreground")
    assert survivors(running) == []


async def test_a_daemon_in_a_sandbox_ends_with_it(instances: Instances, tmp_path: Path, sandbox: Isolation) -> None:
    running = await instances.start(order(tmp_path, python(_DAEMON), isolation=sandbox))
    ended = await running.wait_exit()
    assert ended.status == 0
    assert survivors(running) == []


@pytest.mark.parametrize("how", ["term", "kill", "crash"])
async def test_children_that_left_by_a_double_fork_end_with_it(
    instances: Instances, tmp_path: Path, rung: Isolation, how: str
) -> None:
    code = (
        "import os, signal, sys, time\nsignal.signal(15, lambda *_: sys.exit(0))\n"
        "if os.fork() == 0:\n    os.setsid()\n    signal.signal(15, signal.SIG_IGN)\n    if os.fork() == 0:\n"
        '        os.environ.clear()\n        print("ready", flush=True)\n        time.sleep(300)\n    os._exit(0)\n'
        "time.sleep(300)"
    )
    running = await instances.start(order(tmp_path, python(code), isolation=rung))
    await until_line(running, "ready")
    if how == "term":
        await running.terminate()
    elif how == "kill":
        await running.kill()
    else:
        usage = (await running._stat())["main"]
        os.kill(usage, signal.SIGSEGV)
        assert (await running.wait_exit()).signal == signal.SIGSEGV
    assert survivors(running) == []


async def test_gunicorn_with_daemon_is_told_to_stay(instances: Instances, tmp_path: Path) -> None:
    project(tmp_path, wsgi_py="def application(environ, start): ...")
    command = f"{sys.executable} -m gunicorn --daemon -b 127.0.0.1:$PORT wsgi"
    running = await instances.start(order(tmp_path, command))
    ended = await running.wait_exit()
    assert ended.status == 0
    assert survivors(running) == []


async def test_an_app_that_kills_all_it_can_see_in_a_sandbox_kills_itself_alone(
    instances: Instances, tmp_path: Path, sandbox: Isolation
) -> None:
    other = await instances.start(order(tmp_path, "echo ready; exec sleep 300"))
    await until_line(other, "ready")
    code = "import os; os.kill(-1, 9)"
    running = await instances.start(order(tmp_path, python(code), isolation=sandbox))
    await running.wait_exit()
    assert not other.ended
    assert survivors(running) == []
