"""The shim as a program: what it loads, what it weighs, what it answers to requests it does not know."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from lb.apps.run import process_tree
from lb.apps.run.run_directory import RunDirectory
from lb.apps.run.shim_client import ShimClient, ShimGoneError
from tests.apps.run.conftest import Instances
from tests.apps.run.making import order, survivors
from tests.apps.run.waiting import until_line

pytestmark = pytest.mark.long
SLEEPS = "echo ready; exec sleep 300"


def test_it_loads_nothing_of_the_door_and_little_of_python() -> None:
    code = (
        "import sys\nnames = {'__name__': 'shim_start', '__file__': sys.argv[1]}\n"
        "exec(open(sys.argv[1]).read(), names)\n"
        "names['_empty_packages']()\nimport lb.apps.run.shim\nprint(' '.join(sorted(sys.modules)))"
    )
    start = Path("lb/apps/run/shim_start.py").resolve()
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(start)], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    own = {name for name in loaded if name.startswith("lb.apps.run.")}
    assert own == {
        f"lb.apps.run.{name}"
        for name in (
            "shim",
            "shim_child",
            "shim_control",
            "shim_watch",
            "process_tree",
            "log_lines",
            "log_writer",
            "exit_words",
        )
    }
    assert {name for name in loaded if name.startswith("lb") and name not in own} == {"lb", "lb.apps", "lb.apps.run"}
    assert not loaded & {
        "dataclasses",
        "typing_extensions",
        "asyncio",
        "logging",
        "pathlib",
        "typing",
        "inspect",
        "subprocess",
        "tempfile",
    }


async def test_it_is_small(instances: Instances, tmp_path: Path) -> None:
    """Its own memory, without what all Pythons share: PSS is this and a part of that."""
    running = await instances.start(order(tmp_path, SLEEPS))
    await until_line(running, "ready")
    assert running._shim is not None
    private = sum(
        int(line.split()[1])
        for line in process_tree.read(f"/proc/{running._shim.pid}/smaps_rollup").splitlines()
        if line.startswith((b"Private_Clean", b"Private_Dirty"))
    )
    assert private < 6 * 1024  # KiB


async def test_requests_that_it_does_not_know_are_refused_by_name(instances: Instances, tmp_path: Path) -> None:
    running = await instances.start(order(tmp_path, SLEEPS))
    client = ShimClient(RunDirectory(instances.root / running.id).control)
    with pytest.raises(ShimGoneError, match="unknown request: dance"):
        await client.ask("dance")
    assert (await client.ask("stat", colour="blue"))["token"] == running.facts.token


@pytest.mark.parametrize(
    "data", [b"\n", b"[]\n", b"{}\n", b"\xff\n", b'{"do": "term", "grace": "x"}\n', b"x" * 200_000]
)
async def test_what_is_no_request_hurts_nobody(instances: Instances, tmp_path: Path, data: bytes) -> None:
    running = await instances.start(order(tmp_path, SLEEPS))
    reader, writer = await asyncio.open_unix_connection(str(RunDirectory(instances.root / running.id).control))
    writer.write(data)
    reply = b""
    with suppress(ConnectionResetError):
        reply = await reader.readline()
    assert reply == b"" or json.loads(reply)["ok"] is False
    writer.close()
    await until_line(running, "ready")


async def test_clients_that_say_nothing_keep_nobody_out(instances: Instances, tmp_path: Path) -> None:
    running = await instances.start(order(tmp_path, SLEEPS))
    path = str(RunDirectory(instances.root / running.id).control)
    silent = [await asyncio.open_unix_connection(path) for _ in range(8)]
    await until_line(running, "ready")
    assert (await running.kill()).asked
    for _, writer in silent:
        writer.close()


async def test_sigterm_to_the_shim_ends_its_app(instances: Instances, tmp_path: Path) -> None:
    running = await instances.start(order(tmp_path, SLEEPS))
    await until_line(running, "ready")
    assert running._shim is not None
    os.kill(running._shim.pid, signal.SIGTERM)
    ended = await running.wait_exit()
    assert ended.clean
    assert survivors(running) == []


async def test_several_may_wait_for_the_end(instances: Instances, tmp_path: Path) -> None:
    running = await instances.start(order(tmp_path, "exit 5"))
    ends = await asyncio.gather(*(running.wait_exit() for _ in range(3)))
    assert {ended.status for ended in ends} == {5}


async def test_a_shorter_grace_counts_a_longer_does_not(instances: Instances, tmp_path: Path) -> None:
    running = await instances.start(order(tmp_path, "trap '' TERM; echo ready; while :; do sleep 1; done"))
    await until_line(running, "ready")
    loop = asyncio.get_running_loop()
    began = loop.time()
    _, ended = await asyncio.gather(running.terminate(grace=20), running.terminate(grace=0.3))
    assert ended.signal == signal.SIGKILL
    assert loop.time() - began < 10
