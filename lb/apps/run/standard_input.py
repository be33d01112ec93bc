"""The standard input of a one-off run: a named pipe beside the instance, into which the engine writes.

The shim opens the other end for the app; it needs no part in what is written. This file knows the pipe alone.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path


class StandardInput:
    """The writing end. `begin` once the app has its end, then `write`, and `close` for the app to see the end."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        os.mkfifo(path, 0o600)
        self._path = path
        self._end = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)  # so that nobody waits for the other end

    def begin(self) -> None:
        """From now on the app's end is the only one that reads, so its closing is noticed."""
        end = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.close(self._end)
        self._end = end

    async def write(self, data: bytes) -> bool:
        """As fast as the app reads; False once it reads no more."""
        left = memoryview(data)
        while left:
            if self._end < 0:
                return False
            try:
                left = left[os.write(self._end, left) :]
            except BlockingIOError:
                await self._until_writable()
            except OSError:
                self.close()
                return False
        return True

    async def _until_writable(self) -> None:
        loop = asyncio.get_running_loop()
        writable = asyncio.Event()
        loop.add_writer(self._end, writable.set)
        try:
            await writable.wait()
        finally:
            loop.remove_writer(self._end)

    def close(self) -> None:
        end, self._end = self._end, -1
        if end >= 0:
            with suppress(OSError):
                os.close(end)
