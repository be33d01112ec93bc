"""`lb check` asks the engine of its file; without one it says nothing."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lb.apps.service.engine_socket import socket_name
from lb.cli.check_reload import changes_of_a_reload


@pytest.fixture
def listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    # A socket's path is short, and a test's directory is not.
    with tempfile.TemporaryDirectory(prefix="lbr-", dir="/tmp") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        (Path(runtime) / "lb-engine").mkdir(mode=0o700)
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(f"{runtime}/lb-engine/{socket_name(tmp_path / 'lb.yaml')}")
            made.listen()
            yield made


def answer(listener: socket.socket, line: bytes) -> threading.Thread:
    def serve() -> None:
        with listener, listener.accept()[0] as connection:
            assert b'"plan"' in connection.recv(1000)
            connection.sendall(line)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        (b'{"ok": true, "changes": ["app shop restarts"]}\n', ["app shop restarts"]),
        (b'{"ok": false, "sentence": "this engine does not know the command"}\n', []),
        (b"nonsense\n", []),
        (b"", []),
    ],
)
def test_the_engine_s_sentences_are_shown(
    listener: socket.socket, tmp_path: Path, line: bytes, changes: list[str]
) -> None:
    thread = answer(listener, line)
    assert changes_of_a_reload(tmp_path / "lb.yaml") == changes
    thread.join(10)


def test_without_an_engine_there_is_nothing_to_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert changes_of_a_reload(tmp_path / "lb.yaml") == []
