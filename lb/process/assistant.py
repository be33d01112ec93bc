"""What all assistants, the processes that serve no app, have in common: admin, health, certificates, the file watch.

A message of the supervisor may carry descriptors. An assistant keeps some in reserve for them, so that it can follow a
reload even if clients or silent instances use up all others. Errors logged by libraries are limited in rate, since a
client may cause one as often as it likes. This file knows descriptors and loggers, not what the processes do.
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

_RESERVE = 8  # two parcels, the sockets of a few new addresses, and what reading them takes
_SAID_AGAIN = 60.0  # seconds until the same error is logged again
_MOST_SAID = 16  # different errors in that time
_LIBRARIES = ("asyncio", "aiohttp.client", "aiohttp.internal", "aiohttp.server", "aiohttp.web")


class PacedErrors(logging.Filter):
    """Passes each kind of error once a minute; the kind is the message's first line and the exception."""

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
    """Call this first in an assistant: raises the descriptor limit and limits the rate of log lines."""
    raise_descriptor_limit()
    paced = PacedErrors()
    for name in _LIBRARIES:
        logging.getLogger(name).addFilter(paced)


class AssistantChannel(Channel):
    """An assistant's end of the line. The reserve is released while a message is received; the descriptors of a
    message, and its handling, may use it until the next message, which comes within seconds.
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
        with suppress(OSError):  # none are free now: try again at the next message
            while len(self._reserve) < _RESERVE:
                self._reserve.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
