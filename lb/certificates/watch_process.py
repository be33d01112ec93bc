"""The looks that certificates and ticket keys need, on a loop that serves nobody, and a process for them alone.

This file knows when to look again and whom to tell; what is looked at is `lb.tls.files.watcher`'s. Where certificates
are obtained, too, the process that does that (`certificates/process`) looks as well. Once `certificates` was said, the
workers read the files for themselves.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable

from lb.process.assistant import AssistantChannel, prepare_assistant
from lb.process.channel import Channel, Message
from lb.process.every import every
from lb.process.verbs import Verb
from lb.tls.files.watcher import Upkeep

_INTERVAL = 2.0  # seconds between two looks
_SHARE = 20.0  # and at least so many times what a look takes: thousands of files must not keep a processor busy


def run_upkeep(upkeep: Upkeep, line: socket.socket, demanded: Callable[[str], bool]) -> int:
    """Looks until SIGTERM or the supervisor's death; returns the exit status 0. `demanded` is told of names that
    clients miss, and says whether there is something new now.
    """
    prepare_assistant()
    loop = asyncio.new_event_loop()
    loop.add_signal_handler(signal.SIGTERM, loop.stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))  # SIGUSR1 stays blocked: no log to reopen here

    def heard(message: Message) -> None:
        if message.verb is Verb.MISSING and message.rest:
            channel.say(*((Verb.CERTIFICATES,) if demanded(message.rest) else (Verb.DENIED, message.rest)))
        message.drop()

    channel = AssistantChannel(loop, line, loop.stop, heard)
    keep_up(loop, upkeep, channel)
    channel.say_ready()
    loop.run_forever()
    channel.close()
    return 0


def keep_up(loop: asyncio.AbstractEventLoop, upkeep: Upkeep, channel: Channel) -> None:
    """Look for as long as the loop runs, and tell the supervisor when there is something new."""

    def look() -> None:
        if upkeep.look():
            channel.say(Verb.CERTIFICATES)

    every(loop, _INTERVAL, look, share=_SHARE)
