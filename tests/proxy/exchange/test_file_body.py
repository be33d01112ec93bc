"""The parts of a file's response: what goes when, however much the client's side takes."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from lb.errors import ProxyError
from lb.proxy.exchange.file_body import FileBody, Part
from lb.proxy.files.open_file import KEPT, OpenFile
from lb.proxy.filters.compress import new_encoder
from tests.proxy.exchange.fakes import FakeClient

DATA = bytes(range(256)) * 300  # more than is kept in memory


def _file(path: Path, data: bytes = DATA) -> OpenFile:
    path.write_bytes(data)
    return OpenFile(os.open(path, os.O_RDONLY), 0)


def _sent(body: FileBody, client: FakeClient) -> bytes:
    for _ in range(10_000):
        body.send(client)
        if body.done:
            break
    assert body.done
    assert body.sent == len(client.out)
    assert client.trailers == b""
    return client.out


@pytest.mark.parametrize("takes", [1000, 65536, 1 << 20])
@pytest.mark.parametrize("data", [DATA, b"small", b"x" * KEPT])
def test_a_whole_file_goes_in_as_many_steps_as_it_takes(tmp_path: Path, takes: int, data: bytes) -> None:
    client = FakeClient()
    client.takes_files = takes
    assert _sent(FileBody(_file(tmp_path / "a", data), ((0, len(data)),), None), client) == data


def test_ranges_have_lines_between_them(tmp_path: Path) -> None:
    client = FakeClient()
    client.takes_files = 100
    parts: list[Part] = [b"--one\r\n", (0, 200), b"--two\r\n", (1000, 50), b"--end"]
    expected = b"--one\r\n" + DATA[:200] + b"--two\r\n" + DATA[1000:1050] + b"--end"
    assert _sent(FileBody(_file(tmp_path / "a"), parts, None), client) == expected


def test_one_that_is_compressed_on_its_way_is_the_same_file(tmp_path: Path) -> None:
    client = FakeClient()
    out = _sent(FileBody(_file(tmp_path / "a"), (), new_encoder(b"gzip")), client)
    assert gzip.decompress(out) == DATA


def test_a_client_that_takes_nothing_is_sent_nothing(tmp_path: Path) -> None:
    client = FakeClient()
    client.full = True
    body = FileBody(_file(tmp_path / "a"), (), new_encoder(b"gzip"))
    body.send(client)
    assert (client.out, body.done) == (b"", False)


def test_a_file_that_became_shorter_is_an_error(tmp_path: Path) -> None:
    file = _file(tmp_path / "a")
    os.truncate(tmp_path / "a", 10)
    with pytest.raises(ProxyError) as error:
        FileBody(file, (), new_encoder(b"gzip")).send(FakeClient())
    assert error.value.cause.code == "file_not_readable"
