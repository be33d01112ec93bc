"""An assistant hears a message that brings descriptors, although something else has taken all that it may have."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from lb.process.assistant import AssistantChannel
from lb.process.channel import Channel, Line, Message
from lb.process.verbs import Verb

PATIENCE = 10.0


@contextmanager
def filled() -> Iterator[None]:
    """This process may open no more files, because it has opened all that it may."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(before[0], 512), before[1]))
    taken: list[int] = []
    try:
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        for one in taken:
            os.close(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def heard_while_filled(kind: type[Channel], times: int = 1) -> list[int]:
    """How many descriptors came with each message."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    messages: asyncio.Queue[Message] = asyncio.Queue()
    channel = kind(loop, theirs, lambda: None, messages.put_nowait)
    line = Line(ours)
    counts = []
    with filled():
        for number in range(times):
            line.send(Verb.PREPARE, str(number), (0, 0, 0))
            async with asyncio.timeout(PATIENCE):
                message = await messages.get()
            counts.append(len(message.descriptors))
            message.drop()
            line.send(Verb.PING)
            line.send(Verb.ABANDON)
            async with asyncio.timeout(PATIENCE):
                await messages.get()
    channel.close()
    line.close()
    return counts


async def test_it_has_descriptors_in_reserve_for_what_the_supervisor_sends() -> None:
    assert await heard_while_filled(Channel) == [0]
    gc.collect()  # what earlier tests left in circles is not this one's
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    assert await heard_while_filled(AssistantChannel, 3) == [3, 3, 3]
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
