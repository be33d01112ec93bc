"""The engine's socket: lines in and out, pieces of an archive, clients that leave, and who may ask for what."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from lb.apps.service import api as api_module
from lb.apps.service.api import EngineApi, EngineConnection, EngineRequest, RequestError
from lb.apps.service.engine_socket import (
    EngineSocketError,
    PeerUser,
    engine_sockets,
    find_engine,
    open_listener,
    socket_name,
)


async def echo(request: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:
    await connection.send({"event": "line", "text": request.text("word")})
    return {"sentence": "done"}


async def receive(_: EngineRequest, connection: EngineConnection) -> Mapping[str, Any]:
    await connection.send({"event": "send", "what": "source"})
    pieces = []
    while piece := await connection.next_chunk():
        pieces.append(piece)
    return {"size": sum(map(len, pieces)), "gone": piece is None}


async def refuse(request: EngineRequest, _: EngineConnection) -> Mapping[str, Any]:
    raise RequestError("no such app", "lb apps lists them", 2)


async def break_down(_: EngineRequest, __: EngineConnection) -> Mapping[str, Any]:
    raise RuntimeError("a fault of ours")


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Path]:
    """An engine's API in a directory of its own."""
    environ = {"RUNTIME_DIRECTORY": str(tmp_path)}
    file = tmp_path / "lb.yaml"
    handlers = {"echo": echo, "receive": receive, "refuse": refuse, "break": break_down}
    api = EngineApi(open_listener(file, environ), handlers, frozenset({"echo"}))
    await api.begin()
    yield tmp_path / socket_name(file)
    await api.close()


async def talk(place: Path, *sent: bytes) -> list[dict[str, Any]]:
    reader, writer = await asyncio.open_unix_connection(str(place))
    for data in sent:
        writer.write(data)
    await writer.drain()
    answers = [json.loads(line) async for line in reader]
    writer.close()
    return answers


def line(**fields: object) -> bytes:
    return json.dumps({"protocol": 1, **fields}).encode() + b"\n"


async def test_events_come_before_the_result(place: Path) -> None:
    first, last = await talk(place, line(command="echo", word="hello"))
    assert first == {"event": "line", "text": "hello"}
    assert last == {"event": "result", "ok": True, "code": 0, "protocol": 1, "sentence": "done"}


async def test_an_archive_comes_in_pieces(place: Path) -> None:
    pieces = [b'{"chunk": 3}\nabc', b'{"chunk": 70000}\n' + b"x" * 70000, b'{"chunk": 0}\n']
    *_, last = await talk(place, line(command="receive"), *pieces)
    assert (last["size"], last["gone"]) == (70003, False)


async def test_a_client_that_leaves_is_noticed(place: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(str(place))
    writer.write(line(command="receive") + b'{"chunk": 3}\nabc')
    await writer.drain()
    writer.write_eof()
    last = json.loads((await reader.read()).splitlines()[-1])
    assert (last["size"], last["gone"]) == (3, True)
    writer.close()


@pytest.mark.parametrize(
    ("sent", "code", "words"),
    [
        (line(command="refuse"), 2, "no such app"),
        (line(command="nonsense"), 2, "does not know the command 'nonsense'"),
        (line(command=3), 2, "command is not text"),
        (line(command="echo", word=3), 2, "word is not text"),
        (line(command="break"), 1, "the engine failed"),
    ],
)
async def test_refusals_have_a_sentence_and_an_exit_code(place: Path, sent: bytes, code: int, words: str) -> None:
    (answer,) = await talk(place, sent)
    assert not answer["ok"]
    assert answer["code"] == code
    assert words in answer["sentence"]


@pytest.mark.parametrize("sent", [b"\n", b"[]\n", b"{\n", b"\xff\xfe\n", b"GET / HTTP/1.1\r\n", b"x" * (3 << 20)])
async def test_what_is_no_request_gets_nothing(place: Path, sent: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(str(place))
    writer.write(sent)
    with suppress(ConnectionResetError):  # it closes with bytes of ours unread
        assert await reader.read() == b""
    writer.close()


async def test_other_users_may_do_nothing_and_the_group_may_look(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = PeerUser(1, 4711, frozenset({4711}))
    monkeypatch.setattr(api_module, "peer_user", lambda _: stranger)
    (answer,) = await talk(place, line(command="echo", word="x"))
    assert not answer["ok"]
    assert "user 4711 may not" in answer["sentence"]
    monkeypatch.setattr(os, "getegid", lambda: 4711)
    assert (await talk(place, line(command="echo", word="x")))[-1]["ok"]
    assert not (await talk(place, line(command="refuse")))[-1]["ok"]


def test_a_second_engine_of_a_file_is_refused(tmp_path: Path) -> None:
    environ = {"RUNTIME_DIRECTORY": str(tmp_path)}
    listener = open_listener(tmp_path / "lb.yaml", environ)
    with pytest.raises(EngineSocketError, match="an engine runs already"):
        open_listener(tmp_path / "lb.yaml", environ)
    assert listener.path in engine_sockets(environ)
    connection = find_engine(tmp_path / "lb.yaml", environ)
    assert connection is not None
    connection.close()
    listener.close()
    assert find_engine(tmp_path / "lb.yaml", environ) is None
    assert not listener.path.exists()


def test_a_socket_that_was_left_is_taken_over(tmp_path: Path) -> None:
    environ = {"RUNTIME_DIRECTORY": str(tmp_path)}
    left = open_listener(tmp_path / "lb.yaml", environ)
    left.listener.close()
    listener = open_listener(tmp_path / "lb.yaml", environ)
    left.close()
    assert listener.path.exists(), "a name that another took over stays"
    listener.close()
