"""The line between supervisor and child: whole lines, and descriptors that stay with theirs."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import Iterator

import pytest

from lb.process.channel import Channel, Line, Message
from lb.process.memfd import unwrap, wrap_up
from lb.process.verbs import Verb
from tests.e2e.harness import process


@pytest.fixture
def ends() -> Iterator[tuple[Line, Line]]:
    one, other = map(Line, socket.socketpair())
    yield one, other
    one.close()
    other.close()


def receive(line: Line, lines: int) -> list[Message]:
    messages: list[Message] = []
    for _ in range(10):  # a look may bring half a line
        messages += line.receive()
        if len(messages) == lines:
            return messages
    raise AssertionError(f"no more than {messages}")


def inodes(descriptors: tuple[int, ...] | list[int]) -> list[int]:
    return [os.fstat(descriptor).st_ino for descriptor in descriptors]


def test_lines_come_whole_and_in_order(ends: tuple[Line, Line]) -> None:
    one, other = ends
    assert other.receive() == []
    one.send(Verb.READY)
    one.send(Verb.REFUSED, "7 no such\n  file")
    assert receive(other, 2) == [Message(Verb.READY, ""), Message(Verb.REFUSED, "7 no such file")]
    other.send(Verb.SWITCH, "7")
    assert receive(one, 1) == [Message(Verb.SWITCH, "7")]


def test_a_line_may_come_in_pieces() -> None:
    ours, theirs = socket.socketpair()
    line = Line(theirs)
    for byte in b"prepared 1\nswi":
        ours.send(bytes([byte]))
        if messages := line.receive():
            assert messages == [Message(Verb.PREPARED, "1")]
    ours.send(b"tched 1\n")
    assert line.receive() == [Message(Verb.SWITCHED, "1")]
    ours.close()
    with pytest.raises(EOFError):
        line.receive()
    line.close()


@pytest.mark.parametrize("count", [1, 253, 254, 600])
def test_descriptors_stay_with_their_line(ends: tuple[Line, Line], count: int) -> None:
    one, other = ends
    sent = [os.memfd_create("x") for _ in range(count)]
    one.send(Verb.CERTIFICATES)
    one.send(Verb.PREPARE, "1", sent)
    one.send(Verb.ABANDON, "1")
    one.send(Verb.PREPARE, "2", sent[:1])
    messages = receive(other, 4)
    assert [(message.verb, message.rest, len(message.descriptors)) for message in messages] == [
        ("certificates", "", 0),
        ("prepare", "1", count),
        ("abandon", "1", 0),
        ("prepare", "2", 1),
    ]
    assert inodes(messages[1].descriptors) == inodes(sent)
    assert inodes(messages[3].descriptors) == inodes(sent[:1])
    assert not any(map(os.get_inheritable, messages[1].descriptors))
    for message in messages:
        message.drop()
    for descriptor in sent:
        os.close(descriptor)


def test_a_process_that_may_open_no_more_files_gets_the_line_without_them(ends: tuple[Line, Line]) -> None:
    one, other = ends
    sent = [os.memfd_create("x") for _ in range(20)]
    one.send(Verb.PREPARE, "1", sent)
    for descriptor in sent[10:]:
        os.close(descriptor)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = process.open_files(os.getpid())
    resource.setrlimit(resource.RLIMIT_NOFILE, (sent[12] + 1, limits[1]))  # room for three of them
    try:
        [message] = receive(other, 1)
        assert message == Message(Verb.PREPARE, "1")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert process.open_files(os.getpid()) == before
    one.send(Verb.PREPARE, "2", sent[:3])
    [message] = receive(other, 1)
    assert inodes(message.descriptors) == inodes(sent[:3])
    message.drop()
    for descriptor in sent[:10]:
        os.close(descriptor)


def test_whoever_does_not_read_costs_the_speaker_an_error_and_no_half_line(ends: tuple[Line, Line]) -> None:
    one, other = ends
    said = 0

    def say_on() -> None:
        nonlocal said
        while True:
            one.send(Verb.CERTIFICATES, "x" * 1000)
            said += 1

    with pytest.raises(BlockingIOError):
        say_on()
    messages: list[Message] = []
    while more := other.receive():
        messages += more
        one.flush()
    assert [message.rest for message in messages] == ["x" * 1000] * said
    one.send(Verb.SWITCH, "1")
    assert receive(other, 1) == [Message(Verb.SWITCH, "1")]


def test_descriptors_that_nobody_took_are_closed_with_the_line() -> None:
    before = process.open_files(os.getpid())
    ours, theirs = socket.socketpair()
    line = Line(theirs)
    sent = os.memfd_create("x")
    socket.send_fds(ours, [b"prep"], [sent])
    assert line.receive() == []
    os.close(sent)
    ours.close()
    line.close()
    assert process.open_files(os.getpid()) == before


async def test_a_child_hears_lines_and_the_end() -> None:
    ours, theirs = socket.socketpair()
    line = Line(ours)
    ended = asyncio.Event()
    heard: asyncio.Queue[Message] = asyncio.Queue()
    channel = Channel(asyncio.get_running_loop(), theirs, ended.set, heard.put_nowait)
    channel.say_ready()
    assert line.receive() == [Message(Verb.READY, "")]
    line.send(Verb.PREPARE, "1")
    assert await heard.get() == Message(Verb.PREPARE, "1")
    line.close()
    await ended.wait()
    channel.say(Verb.PREPARED, "1")  # nobody is there any more
    channel.close()


def test_a_parcel_may_be_unwrapped_by_several() -> None:
    content = {"a": [1, 2, 3], "b": "x" * 100_000}
    descriptor = wrap_up(content)
    assert not os.get_inheritable(descriptor)
    assert unwrap(descriptor) == content
    assert unwrap(descriptor) == content
    os.close(descriptor)
