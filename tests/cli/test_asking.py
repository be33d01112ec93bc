"""How commands find the running service of a file, and what they say when there is none."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click
import pytest

from lb.cli.asking import ask, the_file
from lb.control.api import control_socket
from lb.control.api.command import Command
from lb.control.api.control_socket import ControlSocket, open_meeting


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lb-") as runtime:  # a socket's path must be short
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        everywhere = control_socket._directories

        def here(environ: Mapping[str, str]) -> list[Path]:  # others' services are theirs
            return [path for path in everywhere(environ) if str(path).startswith(runtime)]

        monkeypatch.setattr(control_socket, "_directories", here)
        path = tmp_path / "lb.yaml"
        path.touch()
        yield path


@pytest.fixture
def meeting(file: Path) -> Iterator[ControlSocket]:
    made = open_meeting(file, os.environ)
    yield made
    made.leave()


def answering(meeting: ControlSocket, answer: bytes | None) -> threading.Thread:
    """A service that answers one question; None: it ends before."""

    def serve() -> None:
        asked = b""
        while not asked:  # some only look whether somebody is there
            connection, _ = meeting.listener.accept()
            with connection, connection.makefile("rb") as stream:
                asked = stream.readline()
                if asked and answer is not None:
                    connection.sendall(answer)

    meeting.listener.setblocking(True)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


def failed(capsys: pytest.CaptureFixture[str], action: Callable[[], object]) -> str:
    with pytest.raises(click.exceptions.Exit) as caught:
        action()
    assert caught.value.exit_code in (1, 2)
    return capsys.readouterr().err


# spec: R2
def test_the_service_of_a_file_answers(file: Path, meeting: ControlSocket) -> None:
    thread = answering(meeting, json.dumps({"ok": True, "state": "ready"}).encode() + b"\n")
    assert ask(file, Command.STATUS, 10) == {"ok": True, "state": "ready"}
    thread.join(10)


# spec: E3
def test_a_service_that_ends_before_it_answers(
    file: Path, meeting: ControlSocket, capsys: pytest.CaptureFixture[str]
) -> None:
    thread = answering(meeting, None)
    assert "ended before it answered" in failed(capsys, lambda: ask(file, Command.STATUS, 10))
    thread.join(10)


# spec: E3
def test_a_service_that_does_not_answer(file: Path, meeting: ControlSocket, capsys: pytest.CaptureFixture[str]) -> None:
    assert "has not answered for 0 s" in failed(capsys, lambda: ask(file, Command.STATUS, 0.05))


# spec: E3
def test_no_service_and_no_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"`lb serve {file}` starts it" in failed(capsys, lambda: ask(file, Command.STATUS, 1))
    file.unlink()
    assert f"{file} does not exist" in failed(capsys, lambda: ask(file, Command.STATUS, 1))


def test_a_file_that_is_named_is_taken_as_it_is(file: Path) -> None:
    assert the_file(file, "status") == file


# spec: E3
def test_without_a_name_there_must_be_one_service(
    file: Path, meeting: ControlSocket, capsys: pytest.CaptureFixture[str]
) -> None:
    thread = answering(meeting, json.dumps({"file": str(file)}).encode() + b"\n")
    assert the_file(None, "status") == file
    thread.join(10)
    meeting.leave()
    said = failed(capsys, lambda: the_file(None, "status"))
    assert "no service" in said
