"""The regular checks of certificate files and ticket keys, on a loop that serves no clients, and a process for them.

This file knows when to check and whom to tell; the checks are in `lb.tls.files.watcher`. If certificates are also
obtained, that process (`certificates/process`) runs the checks. After the message `certificates`, each worker reads the
files itself.
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
from lb.tls.files.watcher import CertificateWatcher

_INTERVAL = 2.0  # seconds between two checks
_SHARE = 20.0  # and at least so many times what a check takes: thousands of files must not keep a core busy


def run_upkeep(upkeep: CertificateWatcher, line: socket.socket, demanded: Callable[[str], bool]) -> int:
    """Runs the checks until SIGTERM or the supervisor's death; returns the exit status 0. `demanded` gets names that
    clients asked for in vain, and returns whether there is something new now.
    """
    prepare_assistant()
    loop = asyncio.new_event_loop()
    loop.add_signal_handler(signal.SIGTERM, loop.stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))  # SIGUSR1 stays blocked: no log to reopen

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


def keep_up(loop: asyncio.AbstractEventLoop, upkeep: CertificateWatcher, channel: Channel) -> None:
    """Run the checks for as long as the loop runs, and tell the supervisor when there is something new."""

    def look() -> None:
        if upkeep.look():
            channel.say(Verb.CERTIFICATES)

    every(loop, _INTERVAL, look, share=_SHARE)
