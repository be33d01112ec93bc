"""The line between the supervisor and one child: one socket pair a child, lines of text in either direction.

A line may carry descriptors (SCM_RIGHTS); how many is said behind a tab at its end, because the system hands them over
beside the bytes and not at a place in them. `Line` is either end; it never waits. `Channel` is the child's, on its
event loop. What is said:

    child → supervisor    ready · pong · prepared N · refused N REASON · switched N · certificates · missing NAME ·
                          denied NAME · open SHARES
    supervisor → child    ping · prepare N (with parcels and listening sockets) · switch N · abandon N · certificates ·
                          missing NAME · missing · denied NAME · retire · retire accepting · finish ·
                          stop

What matters as much is its end: when the supervisor dies, however it dies, the child reads end-of-file at once, without
asking anybody in intervals whether its parent still lives.
"""

from __future__ import annotations

import asyncio
import os
import socket
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

_CHUNK = 65536
_MOST_DESCRIPTORS = 253  # that one message may carry: SCM_MAX_FD
_INT = array("i").itemsize
_ROOM = socket.CMSG_SPACE(_MOST_DESCRIPTORS * _INT)
# Where the system has no such flag, nothing that we start outlives us.
_CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class Message(NamedTuple):
    """One line: its first word, what follows, and the descriptors that came with it, which are the receiver's.

    It has either all that it was sent with or, when this process may open no more files, none.
    """

    verb: str
    rest: str
    descriptors: tuple[int, ...] = ()

    def drop(self) -> None:
        """Close what came with it: for a message that nobody needs."""
        for descriptor in self.descriptors:
            os.close(descriptor)


class Line:
    """One end of the line; it owns the socket, which does not block."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._begun = b""
        self._descriptors: deque[int] = deque()
        self._truncated = False  # this process may open no more files, so some did not reach it
        end.setblocking(False)

    def fileno(self) -> int:
        return self._end.fileno()

    def send(self, verb: str, rest: str = "", descriptors: Sequence[int] = ()) -> None:
        """Say a line. Raises OSError: the other side is gone (BrokenPipeError), or has read nothing for long."""
        text = " ".join(f"{verb} {rest}".split())  # a reason may have lines of its own
        data = (f"{text}\t{len(descriptors)}\n" if descriptors else f"{text}\n").encode()
        whole = len(data)
        try:
            while len(descriptors) > _MOST_DESCRIPTORS:  # a byte carries each full hand; the newline comes last
                socket.send_fds(self._end, [data[:1]], descriptors[:_MOST_DESCRIPTORS])
                data, descriptors = data[1:], descriptors[_MOST_DESCRIPTORS:]
            data = data[socket.send_fds(self._end, [data], descriptors) :]
        except BlockingIOError:
            if len(data) < whole:
                self._end.shutdown(socket.SHUT_RDWR)  # half a line can never be made whole
            raise
        if data:
            self._end.shutdown(socket.SHUT_RDWR)

    def receive(self) -> list[Message]:
        """The lines that have come whole, none if there are none yet. Raises EOFError when the other side is gone."""
        try:
            # Not `recv_fds`: that one forgets the flags.
            data, parts, flags, _ = self._end.recvmsg(_CHUNK, _ROOM, _CLOEXEC)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            data, parts, flags = b"", [], 0
        if not data:
            raise EOFError
        for _, _, packed in parts:
            self._descriptors += array("i", packed[: len(packed) - len(packed) % _INT])
        self._truncated = self._truncated or bool(flags & socket.MSG_CTRUNC)
        *lines, self._begun = (self._begun + data).split(b"\n")
        return [self._message(line.decode()) for line in lines]

    def close(self) -> None:
        self._drop_descriptors()
        self._end.close()

    def _message(self, line: str) -> Message:
        text, _, count = line.partition("\t")
        verb, _, rest = text.partition(" ")
        if count and self._truncated:
            self._drop_descriptors()
            return Message(verb, rest)
        return Message(verb, rest, tuple(self._descriptors.popleft() for _ in range(int(count or 0))))

    def _drop_descriptors(self) -> None:
        while self._descriptors:
            os.close(self._descriptors.popleft())
        self._truncated = False


class Channel:
    """The child's end: `on_message` gets what the supervisor says; `on_end` is called once, when it is gone."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        end: socket.socket,
        on_end: Callable[[], None],
        on_message: Callable[[Message], None] = Message.drop,
    ) -> None:
        self._loop = loop
        self._line = Line(end)
        self._on_end = on_end
        self._on_message = on_message
        loop.add_reader(self._line.fileno(), self._readable)

    def say_ready(self) -> None:
        self.say("ready")

    def say(self, verb: str, rest: str = "") -> None:
        try:
            self._line.send(verb, rest)
        except OSError:
            return  # the supervisor is gone; the reader sees that too

    def close(self) -> None:
        self._loop.remove_reader(self._line.fileno())
        self._line.close()

    def _readable(self) -> None:
        try:
            messages = self._line.receive()
        except EOFError:
            self._loop.remove_reader(self._line.fileno())
            self._on_end()
            return
        for message in messages:
            if message.verb == "ping":
                self.say("pong")
            else:
                self._on_message(message)
