"""Which form of a file a client gets, and what its head says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lb.http.head import Limits, RequestHead
from lb.http.scan import scan_request
from lb.proxy.files.found_file import AT_ONCE, FoundFile
from lb.proxy.files.open_file import OpenFile
from lb.proxy.filters import compress
from lb.routing.compression import Compression

_NOW = 1_700_000_000_000_000_000
_GZIP = Compression((b"gzip",), 10, frozenset((b"text/html",)))


def _file(path: Path, data: bytes) -> OpenFile:
    path.write_bytes(data)
    os.utime(path, (1_600_000_000, 1_600_000_000))
    return OpenFile(os.open(path, os.O_RDONLY), _NOW)


def _head(*lines: str) -> RequestHead:
    head = scan_request("\r\n".join(("GET / HTTP/1.1", "Host: a", *lines, "", "")).encode(), Limits())
    assert head is not None
    return head


def _found(
    folder: Path, compression: Compression | None = None, *, sibling: bool = False, size: int = 1000
) -> FoundFile:
    coded = {b"gzip": _file(folder / "a.gz", b"packed")} if sibling else {}
    return FoundFile(_file(folder / "a", b"x" * size), b"a.html", coded, b"max-age=60", compression)


def test_the_head_says_what_it_is(tmp_path: Path) -> None:
    lines = _found(tmp_path).plain.lines
    assert lines.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/html")
    for line in (b"Content-Length: 1000", b"Accept-Ranges: bytes", b"Cache-Control: max-age=60", b'ETag: "'):
        assert line in lines
    assert b"Vary" not in lines


@pytest.mark.parametrize(
    ("accepts", "coding"), [("", b""), ("gzip", b"gzip"), ("br", b""), ("gzip;q=0", b""), ("br, gzip;q=0.1", b"gzip")]
)
def test_a_sibling_goes_to_clients_that_accept_it(tmp_path: Path, accepts: str, coding: bytes) -> None:
    found = _found(tmp_path, sibling=True)
    form = found.choose(_head(*([f"Accept-Encoding: {accepts}"] if accepts else [])), True)
    assert form.coding == coding
    assert b"Vary: Accept-Encoding" in form.lines


def test_what_has_no_sibling_is_compressed_once(tmp_path: Path) -> None:
    found = _found(tmp_path, _GZIP)
    form = found.choose(_head("Accept-Encoding: gzip"), True)
    assert (form.coding, form.streamed) == (b"gzip", False)
    assert form.size < 200
    assert form.validators.tag != found.plain.validators.tag
    assert found.choose(_head("Accept-Encoding: gzip"), True) is form


def test_a_large_one_is_compressed_on_its_way(tmp_path: Path) -> None:
    form = _found(tmp_path, _GZIP, size=AT_ONCE + 1).choose(_head("Accept-Encoding: gzip"), True)
    assert form.streamed
    assert b"Content-Length" not in form.lines


@pytest.mark.parametrize(("lines", "can_stream"), [(("Range: bytes=0-1",), True), ((), False)])
def test_ranges_and_old_clients_get_the_file_itself(tmp_path: Path, lines: tuple[str, ...], can_stream: bool) -> None:
    found = _found(tmp_path, _GZIP)
    assert found.choose(_head("Accept-Encoding: gzip", *lines), can_stream) is found.plain


# spec: L5
def test_a_large_file_goes_as_it_is_while_too_many_are_compressed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _found(tmp_path, _GZIP, size=AT_ONCE + 1)
    monkeypatch.setattr(compress, "_MOST", 0)
    form = found.choose(_head("Accept-Encoding: gzip"), True)
    assert (form.coding, form.streamed) == (b"", False)
    assert b"Vary: Accept-Encoding" in form.lines
    monkeypatch.undo()
    assert found.choose(_head("Accept-Encoding: gzip"), True).streamed
