"""A named pipe as standard input: as fast as it is read, and over when the reader has gone."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

import pytest

from lb.apps.run.standard_input import StandardInput
from tests.apps.run.conftest import Instances
from tests.apps.run.making import order
from tests.apps.run.waiting import until


async def test_what_is_written_is_read_and_more_than_the_pipe_holds_waits(tmp_path: Path) -> None:
    path = tmp_path / "stdin"
    given = StandardInput(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    reader = os.open(path, os.O_RDONLY)
    given.begin()
    writing = asyncio.create_task(given.write(b"x" * 1_000_000))
    await asyncio.sleep(0)
    assert not writing.done()
    count = 0
    while count < 1_000_000:
        count += len(await asyncio.to_thread(os.read, reader, 65536))
    assert await writing
    given.close()
    assert await asyncio.to_thread(os.read, reader, 1) == b""
    assert not await given.write(b"x")
    os.close(reader)


async def test_a_reader_that_goes_is_noticed(tmp_path: Path) -> None:
    given = StandardInput(tmp_path / "stdin")
    reader = os.open(tmp_path / "stdin", os.O_RDONLY)
    given.begin()
    os.close(reader)
    assert not await given.write(b"x")
    given.close()


@pytest.mark.long
async def test_a_command_gets_it_and_one_without_an_order_for_it_finds_nothing(
    instances: Instances, tmp_path: Path
) -> None:
    running = await instances.start(order(tmp_path, "cat", listens=False, stdin=True))
    assert await running.write_stdin(b"one\ntwo\n")

    async def has_read() -> bool:
        return await running.last_lines(2) == ("one", "two")

    await until(has_read, "the lines")
    assert not running.ended
    assert await running.write_stdin(b"")
    assert (await running.wait_exit()).lines == ("one", "two")
    other = await instances.start(order(tmp_path, "cat", listens=False))
    assert not await other.write_stdin(b"one\n")
    assert (await other.wait_exit()).status == 0
