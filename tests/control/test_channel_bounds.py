"""The line between supervisor and child where it is full, or too much is said at once: it lives, no line is half."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Iterator, Sequence
from functools import partial

import pytest

from lb.process.channel import LONGEST, Channel, Line, Message
from lb.process.reload_participant import BackgroundThread, ReloadParticipant
from lb.process.verbs import Verb
from tests.e2e.harness import process
from tests.process.test_channel import inodes, receive

PATIENCE = 10.0


@pytest.fixture
def ends() -> Iterator[tuple[Line, Line]]:
    one, other = map(Line, socket.socketpair())
    yield one, other
    one.close()
    other.close()


def fill(line: Line) -> int:
    """Says lines until the socket takes no more and one of them is kept; returns how many were said."""
    said = 0
    while not line.is_full:
        line.send(Verb.CERTIFICATES, "x" * 3000)
        said += 1
    return said


def receive_all(line: Line, other: Line) -> list[Message]:
    """All that `line` has said, `other` making room for what was kept."""
    messages: list[Message] = []
    in_vain = 0
    while in_vain < 10:  # a look may bring half a line
        more = other.receive()
        messages += more
        in_vain = 0 if more or line.is_full else in_vain + 1
        line.flush()
    return messages


@pytest.mark.parametrize("verb", [Verb.MISSING, Verb.DENIED, Verb.REFUSED, Verb.CERTIFICATES])
def test_a_line_that_is_too_long_is_refused_whole_and_the_line_lives(ends: tuple[Line, Line], verb: Verb) -> None:
    for one, other in (ends, ends[::-1]):
        for size in (LONGEST, 62_000, 10_000_000):
            with pytest.raises(OSError, match=os.strerror(errno.EMSGSIZE)):
                one.send(verb, "x" * size)
        one.send(verb, "y" * (LONGEST - len(verb) - 1))
        assert receive(other, 1) == [Message(verb, "y" * (LONGEST - len(verb) - 1))]


def test_what_the_socket_does_not_take_is_kept_and_comes_whole(ends: tuple[Line, Line]) -> None:
    for one, other in (ends, ends[::-1]):
        said = fill(one)
        one.send(Verb.SWITCH, "1")
        assert [message.verb for message in receive_all(one, other)] == ["certificates"] * said + ["switch"]


def test_what_is_kept_is_bounded_and_lines_beyond_it_are_refused_whole(ends: tuple[Line, Line]) -> None:
    one, other = ends
    fill(one)
    kept = 0

    def say_on() -> None:
        nonlocal kept
        while True:
            one.send(Verb.MISSING, "x" * 1000)
            kept += 1

    with pytest.raises(BlockingIOError):
        say_on()
    assert 50 < kept < 70
    messages = receive_all(one, other)
    assert [message.rest for message in messages if message.verb == "missing"] == ["x" * 1000] * kept
    one.send(Verb.SWITCH, "1")
    assert receive(other, 1) == [Message(Verb.SWITCH, "1")]


def test_a_line_with_descriptors_goes_at_once_or_not_at_all(ends: tuple[Line, Line]) -> None:
    one, other = ends
    before = process.open_files(os.getpid())
    said = fill(one)
    with pytest.raises(BlockingIOError):
        one.send(Verb.PREPARE, "1", [0])
    assert len(receive_all(one, other)) == said
    one.send(Verb.PREPARE, "2", [0])
    [message] = receive(other, 1)
    assert (message.verb, message.rest, len(message.descriptors)) == ("prepare", "2", 1)
    message.drop()
    assert process.open_files(os.getpid()) == before


def refuse_from(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """The system takes no descriptors from this call on."""
    calls = 0
    send_fds = socket.send_fds

    def sent(sock: socket.socket, data: Sequence[bytes], descriptors: Sequence[int]) -> int:
        nonlocal calls
        calls += 1
        if calls > number:
            raise OSError(errno.ETOOMANYREFS, os.strerror(errno.ETOOMANYREFS))
        return send_fds(sock, data, descriptors)

    monkeypatch.setattr(socket, "send_fds", sent)


def test_a_line_whose_descriptors_have_gone_out_in_part_is_made_whole(
    ends: tuple[Line, Line], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = ends
    before = process.open_files(os.getpid())
    sent = [os.memfd_create("x") for _ in range(600)]
    with monkeypatch.context() as patch:
        refuse_from(patch, 1)
        one.send(Verb.PREPARE, "1", sent)
        one.send(Verb.ABANDON, "1")
    assert one.is_full
    messages = receive_all(one, other)
    assert [(message.verb, message.rest) for message in messages] == [("prepare", "1"), ("abandon", "1")]
    assert inodes(messages[0].descriptors) == inodes(sent)
    messages[0].drop()
    for descriptor in sent:
        os.close(descriptor)
    assert process.open_files(os.getpid()) == before


def test_where_descriptors_cannot_be_copied_the_line_ends_with_those_that_went_out(
    ends: tuple[Line, Line], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = ends
    before = process.open_files(os.getpid())
    sent = [os.memfd_create("x") for _ in range(600)]

    def full(_: int) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        refuse_from(patch, 1)
        patch.setattr(os, "dup", full)
        one.send(Verb.PREPARE, "1", sent)
    one.send(Verb.ABANDON, "1")
    messages = receive_all(one, other)
    assert [(message.verb, message.rest) for message in messages] == [("prepare", "1"), ("abandon", "1")]
    assert inodes(messages[0].descriptors) == inodes(sent[:253])
    messages[0].drop()
    for descriptor in sent:
        os.close(descriptor)
    assert process.open_files(os.getpid()) == before


def test_what_is_kept_goes_with_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    before = process.open_files(os.getpid())
    one, other = map(Line, socket.socketpair())
    with monkeypatch.context() as patch:
        refuse_from(patch, 1)
        one.send(Verb.PREPARE, "1", [0] * 600)
    one.close()
    other.receive()
    other.close()
    assert process.open_files(os.getpid()) == before


async def test_a_childs_channel_sends_what_was_kept_when_there_is_room() -> None:
    ours, theirs = socket.socketpair()
    line = Line(ours)
    ended = asyncio.Event()
    channel = Channel(asyncio.get_running_loop(), theirs, ended.set)
    said = 0
    while not channel._line.is_full or said % 10:
        channel.say(Verb.CERTIFICATES, "x" * 1000)
        channel.say(Verb.MISSING, "x" * 62_000)  # refused, whatever it does to others
        said += 1
    messages: list[Message] = []
    async with asyncio.timeout(PATIENCE):
        while len(messages) < said:
            messages += line.receive()
            await asyncio.sleep(0)
    assert {message.verb for message in messages} == {"certificates"}
    line.send(Verb.PING)
    async with asyncio.timeout(PATIENCE):
        while messages[-1].verb != "pong":
            messages += line.receive()
            await asyncio.sleep(0)
    assert not ended.is_set()
    channel.close()
    line.close()


async def test_what_one_message_meets_does_not_keep_the_next_from_being_heard() -> None:
    ours, theirs = socket.socketpair()
    line = Line(ours)
    heard: asyncio.Queue[str] = asyncio.Queue()

    def hear(message: Message) -> None:
        if message.verb == "denied":
            raise RuntimeError(message.rest)
        heard.put_nowait(message.verb)

    channel = Channel(asyncio.get_running_loop(), theirs, partial(heard.put_nowait, "end"), hear)
    line.send(Verb.DENIED, "a")
    line.send(Verb.MISSING)
    assert await asyncio.wait_for(heard.get(), PATIENCE) == "missing"
    line.close()
    assert await asyncio.wait_for(heard.get(), PATIENCE) == "end"
    channel.close()


def test_text_that_is_none_is_said_all_the_same(ends: tuple[Line, Line]) -> None:
    one, other = ends
    one.send(Verb.REFUSED, "1 no file \udcff")
    assert receive(other, 1) == [Message(Verb.REFUSED, r"1 no file \udcff")]


@pytest.mark.parametrize("reason", ["no such file\n" * 10_000, "ä" * 5000, "\udcff" * 3000])
async def test_a_reason_of_any_length_reaches_the_supervisor(reason: str) -> None:
    ours, theirs = socket.socketpair()
    line = Line(ours)
    loop = asyncio.get_running_loop()
    channel = Channel(loop, theirs, lambda: None)

    def prepare(*_: object) -> Message:
        raise OSError(reason)

    changes: ReloadParticipant[Message] = ReloadParticipant(
        BackgroundThread(loop), channel.say, prepare, lambda _: None
    )
    changes._wanted = "7"
    changes._refused("7", reason)
    [message] = receive(line, 1)
    assert message.verb == "refused"
    assert message.rest.startswith("7 ")
    assert message.rest.endswith("…")
    channel.close()
    line.close()
