"""What all processes have in common that assist and serve no app: admin, health, certificates, the watch over files.

A message of the supervisor's may bring descriptors. An assistant keeps some in reserve for them: whatever fills it,
clients or instances that do not answer, it still hears a reload. What libraries log about errors is paced, since a
client that causes one may cause it as often as it likes. This file knows descriptors and loggers, and nothing of what
the processes do.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

from lb.process.channel import Channel, Message
from lb.process.limits import raise_descriptor_limit

_RESERVE = 8  # two parcels and the sockets of a few new addresses, with what reading them takes
_SAID_AGAIN = 60.0  # seconds until the same error is logged once more
_MOST_SAID = 16  # different errors in that time
_LIBRARIES = ("asyncio", "aiohttp.client", "aiohttp.internal", "aiohttp.server", "aiohttp.web")


class PacedErrors(logging.Filter):
    """Lets an error of one kind through once a minute: by its message, up to the first line end, and its exception."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[tuple[str, str, type[BaseException] | None], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now = self._clock()
        kind = record.exc_info[0] if record.exc_info else None
        what = (record.name, str(record.msg).partition("\n")[0], kind)
        self._said = {one: at for one, at in self._said.items() if now - at < _SAID_AGAIN}
        if what in self._said or len(self._said) >= _MOST_SAID:
            return False
        self._said[what] = now
        return True


def prepare_assistant() -> None:
    """Call first in such a process: as many descriptors as it may have, and no flood of lines."""
    raise_descriptor_limit()
    paced = PacedErrors()
    for name in _LIBRARIES:
        logging.getLogger(name).addFilter(paced)


class AssistantChannel(Channel):
    """An assistant's end of the line. The reserve is given up while the supervisor is heard; what a message has
    brought, and what is done with it, may use it until the next message, which comes within seconds.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        end: socket.socket,
        on_end: Callable[[], None],
        on_message: Callable[[Message], None] = Message.drop,
    ) -> None:
        super().__init__(loop, end, on_end, on_message)
        self._reserve: list[int] = []
        self._in_use = self._closed = False
        self._keep_reserve()

    def close(self) -> None:
        self._closed = True
        self._release()
        super().close()

    def _readable(self) -> None:
        self._release()
        self._in_use = False
        super()._readable()
        if not self._in_use and not self._closed:
            self._keep_reserve()

    def _take(self, message: Message) -> None:
        self._in_use = self._in_use or bool(message.descriptors)
        super()._take(message)

    def _release(self) -> None:
        while self._reserve:
            os.close(self._reserve.pop())

    def _keep_reserve(self) -> None:
        with suppress(OSError):  # there are none at present: the next message is another chance
            while len(self._reserve) < _RESERVE:
                self._reserve.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
