"""The health process's connection to the engine service: found, made and made again, and the lines that go over it.

It knows the socket and when to try again. What the messages mean is for those who are told. While there is no engine
nothing is lost: who has something to say says it anew when it is connected.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from typing import Any

from lb.apps.service.engine_socket import find_engine
from lb.apps.service.placements import (
    LONGEST_LINE,
    PROTOCOL,
    DoorEvent,
    door_event_line,
    line_of,
    read_line,
    subscribe_line,
)
from lb.health.schedule import tell_failure
from lb.telemetry.paced_lines import PacedLines

_SOON = 0.25  # seconds between two looks for an engine that is not there
_REFUSED = 5.0  # and after one that does not want this door
_ANSWER = 10.0  # seconds for it to answer
_MOST_QUEUED = 4 << 20  # bytes that an engine may leave unread

Heard = Callable[[Mapping[str, Any]], None]


class EngineLink:
    """`heard` is told what the engine says once it has taken the door, `connected` that it has, and `lost` that the
    connection has ended, or that there is no engine.
    """

    def __init__(
        self,
        file: Path,
        executor: Executor,
        lines: PacedLines,
        heard: Heard,
        connected: Callable[[], None],
        lost: Callable[[], None],
    ) -> None:
        self._file = file
        self._executor = executor
        self._lines = lines
        self._heard = heard
        self._connected = connected
        self._lost = lost
        self._writer: asyncio.StreamWriter | None = None
        self._said = ""
        self._task = asyncio.ensure_future(self._follow())
        self._task.add_done_callback(tell_failure)

    @property
    def is_connected(self) -> bool:
        return self._writer is not None

    def say(self, event: DoorEvent) -> None:
        """Tell the engine, if there is one."""
        if self._writer is not None:
            self._writer.write(door_event_line(event))
            if self._writer.transport.get_write_buffer_size() > _MOST_QUEUED:
                self._writer.transport.abort()

    def reload(self) -> None:
        """The configuration has changed: have the engine read it, too."""
        job = asyncio.get_running_loop().run_in_executor(self._executor, _ask_to_reload, self._file)
        job.add_done_callback(self._reloaded)

    def _reloaded(self, job: asyncio.Future[str]) -> None:
        if job.cancelled():
            return
        error = job.exception()
        if text := str(error) if error is not None else job.result():
            self._lines.write(logging.ERROR, f"the engine did not take the changed configuration: {text}")

    async def close(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _follow(self) -> None:
        while True:
            pause = _SOON
            try:
                pause = await self._serve()
            except (OSError, ValueError, KeyError, TypeError, TimeoutError, asyncio.IncompleteReadError) as error:
                self._tell(
                    logging.WARNING, f"the connection to the engine failed: {str(error) or type(error).__name__}"
                )
            finally:
                writer, self._writer = self._writer, None
                if writer is not None:
                    writer.close()
            self._lost()
            await asyncio.sleep(pause)

    async def _serve(self) -> float:
        """One connection to its end. Returns the seconds until the next one."""
        loop = asyncio.get_running_loop()
        connection = await loop.run_in_executor(self._executor, _find, self._file)
        if connection is None:
            return _SOON
        reader, writer = await asyncio.open_unix_connection(sock=connection, limit=LONGEST_LINE)
        try:
            writer.write(subscribe_line(str(self._file)))
            answer = read_line(await asyncio.wait_for(reader.readuntil(), _ANSWER))
            if not answer.get("ok"):
                self._tell(logging.ERROR, f"the engine does not serve this front door: {answer.get('error', '')}")
                return _REFUSED
            self._tell(logging.INFO, f"connected to the engine (process {answer.get('pid')})")
            self._writer = writer
            self._connected()
            while line := await reader.readline():
                self._heard(read_line(line))
            self._tell(logging.WARNING, "the engine has gone; app instances that it did not end serve on")
        finally:
            writer.close()
        return _SOON

    def _tell(self, level: int, text: str) -> None:
        if text != self._said:
            self._said = text
            self._lines.write(level, text)


def _ask_to_reload(file: Path) -> str:
    """Why the engine did not; "" if it did, or none is there: one that begins reads the file anyway."""
    connection = find_engine(file, os.environ)
    if connection is None:
        return ""
    with connection:
        connection.settimeout(_ANSWER)
        connection.sendall(line_of({"protocol": PROTOCOL, "command": "reload"}))
        with connection.makefile("rb") as lines:
            for line in lines:
                answer = read_line(line)
                if "ok" in answer:
                    return "" if answer["ok"] else str(answer.get("sentence", "it gives no reason"))
    return "it did not answer"


def _find(file: Path) -> socket.socket | None:
    connection = find_engine(file, os.environ)
    if connection is not None:
        connection.setblocking(False)
    return connection
