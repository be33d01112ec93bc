"""The line between the supervisor and one child: one socket pair per child, lines of text in either direction.

A line may carry descriptors (SCM_RIGHTS); their number follows a tab at its end, because the system delivers them
beside the bytes, not at a place in them. `Line` is either end; it never waits: what the socket does not take is kept,
up to a bound, until its owner calls `flush`. No message can break the line: one that is too long, or one too many, is
refused whole. `Channel` is the child's end, on its event loop. The messages are in verbs.py.

Its end matters as much: when the supervisor dies, in whatever way, the child reads end-of-file at once, and need not
check regularly whether its parent lives.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from lb.process.verbs import Verb

log = logging.getLogger("lb.worker")

LONGEST = 4096
"""Bytes of a line, without its end."""

_CHUNK = 65536
_MOST_UNSENT = 65536  # bytes that are kept while the socket takes none
_MOST_DESCRIPTORS = 253  # that one message may carry: SCM_MAX_FD
_INT = array("i").itemsize
_ROOM = socket.CMSG_SPACE(_MOST_DESCRIPTORS * _INT)
# No room now: in the socket, for descriptors in flight, or in memory.
_FULL = frozenset((errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR, errno.ETOOMANYREFS, errno.ENOBUFS, errno.ENOMEM))
# On systems without this flag, no child process outlives this one.
_CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class Message(NamedTuple):
    """One line: its first word, the rest, and the descriptors that came with it, which the receiver owns.

    It has either all of its descriptors or, if this process may open no more files, none.
    """

    verb: Verb
    rest: str
    descriptors: tuple[int, ...] = ()

    def drop(self) -> None:
        """Close its descriptors, for a message that is not needed."""
        for descriptor in self.descriptors:
            os.close(descriptor)


def shortened(reason: str, most: int = LONGEST // 2) -> str:
    """A text of any length as one line that fits a channel: cut after `most` bytes."""
    data = " ".join(reason.split()).encode("utf-8", "backslashreplace")
    return data.decode() if len(data) <= most else data[:most].decode("utf-8", "ignore") + "…"


class Line:
    """One end of the line; it owns the socket, which is non-blocking."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._begun = b""
        self._descriptors: deque[int] = deque()
        self._truncated = False  # some descriptors were lost, because this process may open no more files
        self._unsent: deque[tuple[bytes, tuple[int, ...]]] = deque()  # with copies of descriptors, which this end owns
        self._kept = 0  # bytes in `_unsent`
        end.setblocking(False)

    def fileno(self) -> int:
        return self._end.fileno()

    @property
    def is_full(self) -> bool:
        """Whether something is unsent: call `flush` when there is room."""
        return bool(self._unsent)

    def send(self, verb: Verb, rest: str = "", descriptors: Sequence[int] = ()) -> None:
        """Send a line, now or when the socket has room; one with descriptors now or not at all.

        Raises OSError if the line is not sent: the other side is gone (BrokenPipeError), has read nothing for long
        (BlockingIOError), or the line is longer than `LONGEST` bytes.
        """
        # A reason may contain line breaks, or a file name that is not valid text.
        text = " ".join(f"{verb} {rest}".split()).encode("utf-8", "backslashreplace")
        if len(text) > LONGEST:
            raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
        self.flush()
        if descriptors:
            self._send_with(text, tuple(descriptors))
        elif self._kept + len(text) >= _MOST_UNSENT:
            raise BlockingIOError(errno.EAGAIN, "too much is kept already")
        else:
            self._keep(text + b"\n")
            self.flush()

    def flush(self) -> None:
        """Send what is kept, as far as there is room. Raises OSError if the other side is gone."""
        while self._unsent:
            data, descriptors = self._unsent[0]
            try:
                sent = socket.send_fds(self._end, [data], descriptors)
            except OSError as error:
                if error.errno in _FULL:
                    return
                raise
            self._unsent.popleft()
            self._kept -= sent
            for descriptor in descriptors:
                os.close(descriptor)
            if sent < len(data):
                self._unsent.appendleft((data[sent:], ()))

    def _send_with(self, text: bytes, descriptors: tuple[int, ...]) -> None:
        """One byte carries each full batch of descriptors; the newline comes last."""
        if self._unsent:
            raise BlockingIOError(errno.EAGAIN, "something is kept already")
        data = b"%b\t%d\n" % (text, len(descriptors))
        hands = [descriptors[at : at + _MOST_DESCRIPTORS] for at in range(0, len(descriptors), _MOST_DESCRIPTORS)]
        pieces = [*(data[at : at + 1] for at in range(len(hands) - 1)), data[len(hands) - 1 :]]
        for at, (piece, hand) in enumerate(zip(pieces, hands, strict=True)):
            try:
                sent = socket.send_fds(self._end, [piece], hand)
            except OSError:
                if not at:
                    raise
                self._keep_begun(text, at, hands[at:])  # complete the line that was started
                return
            if sent < len(piece):
                self._keep(piece[sent:])

    def _keep_begun(self, text: bytes, at: int, hands: Sequence[tuple[int, ...]]) -> None:
        """Keep the rest of a line, from byte `at` on; if descriptors cannot be copied it goes without them, and says
        so.
        """
        copies: list[int] = []
        count = at * _MOST_DESCRIPTORS
        try:
            for descriptor in (one for hand in hands for one in hand):
                copies.append(os.dup(descriptor))  # noqa: PERF401  copies made before a failure are closed below
        except OSError:
            while copies:
                os.close(copies.pop())
        data = b"%b\t%d\n" % (text, count + len(copies))
        while len(copies) > _MOST_DESCRIPTORS:
            self._keep(data[at : at + 1], tuple(copies[:_MOST_DESCRIPTORS]))
            del copies[:_MOST_DESCRIPTORS]
            at += 1
        self._keep(data[at:], tuple(copies))

    def _keep(self, data: bytes, descriptors: tuple[int, ...] = ()) -> None:
        self._unsent.append((data, descriptors))
        self._kept += len(data)

    def receive(self) -> list[Message]:
        """The complete lines that have arrived. Raises EOFError if the other side is gone."""
        try:
            # Not `recv_fds`: it drops the flags.
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
        return [self._message(line.decode("utf-8", "replace")) for line in lines]

    def close(self) -> None:
        """Closes the socket; what is kept is not sent."""
        self._drop_descriptors()
        for _, descriptors in self._unsent:
            for descriptor in descriptors:
                os.close(descriptor)
        self._unsent.clear()
        self._end.close()

    def _message(self, line: str) -> Message:
        text, _, count = line.partition("\t")
        word, _, rest = text.partition(" ")
        verb = Verb.read(word)
        if count and (self._truncated or len(self._descriptors) < int(count)):
            self._drop_descriptors()
            return Message(verb, rest)
        return Message(verb, rest, tuple(self._descriptors.popleft() for _ in range(int(count or 0))))

    def _drop_descriptors(self) -> None:
        while self._descriptors:
            os.close(self._descriptors.popleft())
        self._truncated = False


class Channel:
    """The child's end: `on_message` gets the supervisor's messages; `on_end` is called once, when it is gone."""

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
        self._waits = False  # waits for room
        loop.add_reader(self._line.fileno(), self._readable)

    def say_ready(self) -> None:
        self.say(Verb.READY)

    def say(self, verb: Verb, rest: str = "") -> None:
        """Send a line; a refused one is dropped. Never raises for that, and never waits."""
        try:
            self._line.send(verb, rest)
        except OSError:
            return  # if the supervisor is gone, the reader notices that too
        self._watch_room()

    def close(self) -> None:
        self._loop.remove_reader(self._line.fileno())
        self._loop.remove_writer(self._line.fileno())
        self._line.close()

    def _watch_room(self) -> None:
        if self._line.is_full and not self._waits:
            self._waits = True
            self._loop.add_writer(self._line.fileno(), self._writable)

    def _writable(self) -> None:
        try:
            self._line.flush()
        except OSError:
            pass  # as above
        else:
            if self._line.is_full:
                return
        self._waits = False
        self._loop.remove_writer(self._line.fileno())

    def _readable(self) -> None:
        try:
            messages = self._line.receive()
        except EOFError:
            self._loop.remove_reader(self._line.fileno())
            self._on_end()
            return
        for message in messages:
            try:
                self._take(message)
            except Exception:
                # The messages after it are handled nevertheless: they are not repeated.
                log.exception("handling the supervisor's %r failed", message.verb)

    def _take(self, message: Message) -> None:
        if message.verb is Verb.PING:
            self.say(Verb.PONG)
        else:
            self._on_message(message)
