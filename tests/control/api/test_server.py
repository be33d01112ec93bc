"""The command socket: a selector of the test's own, clients that behave and clients that do not."""

from __future__ import annotations

import errno
import json
import logging
import os
import selectors
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from lb.control.api.server import Commands, Reply


class Served:
    """The server's side, run a step at a time."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        self.listener.setblocking(False)
        self.asked: list[tuple[str, Reply]] = []
        self.selector = selectors.DefaultSelector()
        self.commands = Commands(self.listener, self.handle)
        self.commands.register(self.selector)

    def handle(self, command: str, reply: Reply) -> None:
        if command == "break":
            raise RuntimeError("a bug")
        self.asked.append((command, reply))
        if command.startswith("echo"):
            reply({"ok": True, "echo": command})

    def run(self) -> None:
        """Until nothing is ready."""
        while ready := self.selector.select(0):
            for key, _ in ready:
                key.data()

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(5)
        client.connect(self.path)
        return client

    def close(self) -> None:
        self.commands.expire(time.monotonic() + 3600)
        self.selector.close()
        self.listener.close()


@pytest.fixture
def served(short_path: Path) -> Iterator[Served]:
    served = Served(short_path / "commands")
    yield served
    served.close()


def said(client: socket.socket) -> Any:
    with client, client.makefile() as lines:
        return json.loads(lines.readline())


def ask(client: socket.socket, command: str) -> None:
    client.sendall(json.dumps({"command": command}).encode() + b"\n")


def is_closed(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False


class Refusing:
    """A listening socket for which the system has no descriptor at present."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener, self.looks, self.refuses = listener, 0, True

    def fileno(self) -> int:
        return self.listener.fileno()

    def close(self) -> None:
        self.listener.close()

    def accept(self) -> tuple[socket.socket, object]:
        self.looks += 1
        if self.refuses:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return self.listener.accept()


def test_without_descriptors_it_rests_and_says_so_once(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    refusing = Refusing(served.listener)
    served.selector.unregister(served.listener)
    served.commands = Commands(cast("socket.socket", refusing), served.handle)
    served.commands.register(served.selector)
    client = served.connect()
    ask(client, "echo")
    for looks in (1, 2, 3):
        served.run()  # ends, although the client is still there
        assert refusing.looks == looks
        due = served.commands.due
        assert due is not None
        served.commands.expire(due)
    assert len(caplog.records) == 1
    assert "accepting a command failed and will be tried again" in caplog.text
    refusing.refuses = False
    served.run()
    assert said(client) == {"ok": True, "echo": "echo"}
    assert served.commands.due is None


def test_it_may_move_to_another_socket_while_clients_wait(served: Served, short_path: Path) -> None:
    client = served.connect()
    ask(client, "reload")
    served.run()
    served.listener, before = socket.socket(socket.AF_UNIX), served.listener
    served.path = str(short_path / "other")
    served.listener.bind(served.path)
    served.listener.listen()
    served.listener.setblocking(False)
    served.commands.move(served.listener)
    assert before.fileno() < 0
    other = served.connect()
    ask(other, "echo")
    served.run()
    assert said(other)["ok"]
    served.asked[0][1]({"ok": True})
    assert said(client)["ok"]


def test_an_answer_at_once_and_an_answer_later(served: Served) -> None:
    at_once, later = served.connect(), served.connect()
    ask(later, "reload")
    served.run()
    ask(at_once, "echo")
    served.run()
    assert said(at_once) == {"ok": True, "echo": "echo"}
    assert served.commands.due is None  # nobody hurries who works on an answer
    served.asked[0][1]({"ok": False, "error": "why"})
    assert said(later) == {"ok": False, "error": "why"}


def test_a_request_may_come_in_pieces(served: Served) -> None:
    client = served.connect()
    for piece in (b'{"comm', b'and": "ec', b'ho"}\n'):
        client.sendall(piece)
        served.run()
    assert said(client)["ok"]


_TOO_DEEP = b"[" * 4000  # for the parser's stack


@pytest.mark.parametrize(
    "line", [b"reload", b'"reload"', b"{}", b'{"command": 1}', b"[1]", b"\xff", b"x" * 5000, b"", _TOO_DEEP]
)
def test_nonsense_is_answered(served: Served, line: bytes) -> None:
    client = served.connect()
    client.sendall(line + b"\n")
    served.run()
    answer = said(client)
    assert not answer["ok"]
    assert "request" in answer["error"]
    assert served.asked == []


def test_a_bug_in_a_command_is_an_answer(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    client = served.connect()
    ask(client, "break")
    with caplog.at_level(logging.ERROR):
        served.run()
    assert "unexpectedly" in said(client)["error"]
    assert "a bug" in caplog.text


def test_silence_has_an_end(served: Served) -> None:
    client = served.connect()
    served.run()
    due = served.commands.due
    assert due is not None
    served.commands.expire(due - 0.1)
    assert not is_closed(client)
    served.commands.expire(due)
    assert is_closed(client)
    assert served.commands.due is None
    client.close()


def test_who_does_not_read_blocks_nobody_and_has_an_end(served: Served) -> None:
    stuck = served.connect()
    ask(stuck, "long")
    served.run()
    served.asked[0][1]({"ok": True, "long": "x" * 4_000_000})
    served.run()
    with served.connect() as other:
        ask(other, "echo")
        served.run()
        assert said(other)["ok"]
    due = served.commands.due
    assert due is not None
    served.commands.expire(due)
    received = 0
    while data := stuck.recv(1 << 20):
        received += len(data)
    assert 0 < received < 4_000_000
    stuck.close()


def test_a_long_answer_arrives_whole(served: Served) -> None:
    client = served.connect()
    ask(client, "long")
    served.run()
    served.asked[0][1]({"ok": True, "long": "x" * 1_000_000})
    data = b""
    while not data.endswith(b"\n"):
        data += client.recv(1 << 16)
        served.run()
    assert len(json.loads(data)["long"]) == 1_000_000
    client.close()


def test_many_silent_clients_keep_nobody_out(served: Served) -> None:
    silent = [served.connect() for _ in range(40)]
    served.run()
    with served.connect() as client:
        ask(client, "echo")
        served.run()
        assert said(client)["ok"]
    assert sum(is_closed(one) for one in silent) >= 24
    for one in silent:
        one.close()


def test_clients_that_wait_for_an_answer_are_not_driven_out(served: Served) -> None:
    waiting = []
    for _ in range(16):
        waiting.append(served.connect())
        ask(waiting[-1], "reload")
        served.run()
    with served.connect() as late:
        served.run()
        assert is_closed(late)
    for _, reply in served.asked:
        reply({"ok": True})
    assert [said(one)["ok"] for one in waiting] == [True] * 16


def test_who_did_not_wait_gets_no_answer(served: Served) -> None:
    with served.connect() as client:
        ask(client, "reload")
        served.run()
    served.run()
    served.asked[0][1]({"ok": True})


def test_no_new_commands_after_the_end_but_answers(served: Served) -> None:
    client, silent = served.connect(), served.connect()
    ask(client, "upgrade")
    served.run()
    served.commands.close()
    assert is_closed(silent)
    served.asked[0][1]({"ok": True})
    assert said(client)["ok"]
    silent.close()
