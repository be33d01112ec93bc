"""What a route of files answers: the file, a part of it, that it has not changed, or why not."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from lb.errors import ProxyError
from lb.http.path_pattern import parse_pattern
from lb.http.reply import Reply
from lb.proxy.exchange.file_reply import FileReply, file_reply
from lb.proxy.files.found_file import Representation
from lb.routing.file_rule import FileRule
from tests.proxy.exchange.fakes import Stage


def _answer(root: Path, target: str, *lines: str, method: str = "GET") -> Representation | FileReply | Reply:
    request = "\r\n".join((f"{method} {target} HTTP/1.1", "Host: a", *lines, "", "")).encode()
    loop = asyncio.new_event_loop()
    try:
        stage = Stage(loop)
        answer = file_reply(stage.exchange(request), FileRule(os.fsencode(root), parse_pattern("/s/")))
        stage.engine.close()
    finally:
        loop.close()
    return answer


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_bytes(b"0123456789")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "index.html").write_bytes(b"index")
    for path in (tmp_path / "a.txt", tmp_path / "sub" / "index.html"):
        os.utime(path, (1_600_000_000, 1_600_000_000))
    return tmp_path


def test_a_file_as_a_whole(root: Path) -> None:
    form = _answer(root, "/s/a.txt?v=1")
    assert isinstance(form, Representation)
    assert form.size == 10


def test_a_directory_is_asked_for_with_its_slash(root: Path) -> None:
    reply = _answer(root, "/s/sub?v=1")
    assert isinstance(reply, Reply)
    assert (reply.status, dict(reply.fields)[b"Location"]) == (301, b"/s/sub/?v=1")
    assert isinstance(_answer(root, "/s/sub/"), Representation)


def test_one_that_the_client_has(root: Path) -> None:
    form = _answer(root, "/s/a.txt")
    assert isinstance(form, Representation)
    reply = _answer(root, "/s/a.txt", f"If-None-Match: {form.validators.tag.decode()}")
    assert isinstance(reply, FileReply)
    assert (reply.status, reply.parts) == (304, ())


@pytest.mark.parametrize(("ranges", "parts"), [("0-3", ((0, 4),)), ("-2", ((8, 2),)), ("5-", ((5, 5),))])
def test_a_part_of_it(root: Path, ranges: str, parts: tuple[tuple[int, int], ...]) -> None:
    reply = _answer(root, "/s/a.txt", f"Range: bytes={ranges}")
    assert isinstance(reply, FileReply)
    assert (reply.status, reply.parts) == (206, parts)
    assert b"Content-Range: bytes " in reply.lines


def test_several_parts_have_lines_between_them(root: Path) -> None:
    reply = _answer(root, "/s/a.txt", "Range: bytes=0-1,8-9")
    assert isinstance(reply, FileReply)
    assert reply.parts is not None
    assert [part for part in reply.parts if isinstance(part, tuple)] == [(0, 2), (8, 2)]
    assert b"multipart/byteranges; boundary=" in reply.lines


@pytest.mark.parametrize(
    ("target", "lines", "method", "code"),
    [
        ("/s/none", (), "GET", "file_not_found"),
        ("/s/a.txt", (), "POST", "method_not_allowed"),
        ("/s/a.txt", ('If-Match: "other"',), "GET", "precondition_failed"),
        ("/s/a.txt", ("Range: bytes=10-",), "GET", "range_not_satisfiable"),
        ("/s/../a.txt", (), "GET", "file_not_found"),
    ],
)
def test_why_not(root: Path, target: str, lines: tuple[str, ...], method: str, code: str) -> None:
    with pytest.raises(ProxyError) as error:
        _answer(root, target, *lines, method=method)
    assert error.value.cause.code == code
