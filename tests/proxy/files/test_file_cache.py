"""What a worker remembers of files: what has changed is seen, what is remembered is bounded, nothing stays open."""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path

import pytest

from lb.errors import ProxyError
from lb.http.head import Limits, RequestHead
from lb.http.path_pattern import parse_pattern
from lb.http.scan import scan_request
from lb.proxy.files import file_cache
from lb.proxy.files.file_cache import FileCache
from lb.proxy.files.found_file import AT_ONCE, FoundFile
from lb.proxy.files.open_file import KEPT
from lb.proxy.filters.compress import AVAILABLE
from lb.routing.compression import Compression
from lb.routing.file_rule import FileRule

HTML = frozenset((b"text/html",))
LONG_AGO = 1_600_000_000
LIFE = 1.0  # seconds for which what was found is believed


@pytest.fixture
def cache() -> FileCache:
    return FileCache()


def rule_of(root: Path, path: str = "/s/") -> FileRule:
    return FileRule(os.fsencode(root), parse_pattern(path))


def written(path: Path, data: bytes, when: int = LONG_AGO) -> None:
    """A file that was last changed then."""
    path.write_bytes(data)
    os.utime(path, (when, when))


def request(*lines: str) -> RequestHead:
    head = scan_request("\r\n".join(("GET / HTTP/1.1", "Host: a", *lines, "", "")).encode(), Limits())
    assert head is not None
    return head


def data_of(found: FoundFile) -> bytes:
    return found.plain.file.read(0, found.plain.size)


def descriptors() -> int:
    gc.collect()  # what earlier tests left in circles is not this one's
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize(
    ("pattern", "path", "data"),
    [
        ("/s/", b"/s/a.txt", b"a"),
        ("/s/", b"/s/d/b.txt", b"b"),
        ("/s/", b"/s/d/", b"index"),
        ("/s/{rest}", b"/s/d/b.txt", b"b"),
        ("/{any}/x/", b"/1/x/a.txt", b"a"),
        ("/deep/down/a.txt", b"/deep/down/a.txt", b"a"),
        ("/", b"/a.txt", b"a"),
    ],
)
def test_the_rest_of_the_path_names_the_file(
    cache: FileCache, tmp_path: Path, pattern: str, path: bytes, data: bytes
) -> None:
    (tmp_path / "d").mkdir()
    for name, content in {"a.txt": b"a", "d/b.txt": b"b", "d/index.html": b"index"}.items():
        written(tmp_path / name, content)
    found = cache.find(rule_of(tmp_path, pattern), path, 0.0)
    assert data_of(found) == data
    assert found.location is None


def test_a_directory_without_its_slash_is_elsewhere(cache: FileCache, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    written(tmp_path / "d" / "index.html", b"x")
    written(tmp_path / "index.html", b"x")
    rule = rule_of(tmp_path)
    assert cache.find(rule, b"/s/d", 0.0).location == b"/s/d/"
    assert cache.find(rule, b"/s", 0.0).location == b"/s/"


@pytest.mark.parametrize(
    "path", [b"/s/no", b"/s/empty", b"/s/empty/", b"/s/fifo", b"/s/a.txt/", b"/s/.hidden", b"/s/out"]
)
def test_what_may_not_be_served_is_not_there(cache: FileCache, tmp_path: Path, path: bytes) -> None:
    # spec: P2
    files = tmp_path / "files"
    (files / "empty").mkdir(parents=True)
    written(tmp_path / "secret", b"x")
    written(files / "a.txt", b"x")
    written(files / ".hidden", b"x")
    (files / "out").symlink_to("../secret")
    os.mkfifo(files / "fifo")
    with pytest.raises(ProxyError) as raised:
        cache.find(rule_of(files), path, 0.0)
    assert raised.value.cause.code == "file_not_found"
    assert len(cache) == 0


def test_without_an_index_a_directory_is_not_there(cache: FileCache, tmp_path: Path) -> None:
    written(tmp_path / "index.html", b"x")
    rule = rule_of(tmp_path)
    rule.index = None
    with pytest.raises(ProxyError):
        cache.find(rule, b"/s/", 0.0)


def test_what_is_not_there_may_have_a_fallback(cache: FileCache, tmp_path: Path) -> None:
    written(tmp_path / "app.html", b"app")
    rule = rule_of(tmp_path)
    rule.fallback = b"app.html"
    rule.cache_control = b"immutable"
    found = cache.find(rule, b"/s/users/7", 0.0)
    assert data_of(found) == b"app"
    assert b"Cache-Control: no-cache\r\n" in found.plain.lines
    assert b"Cache-Control: immutable\r\n" in cache.find(rule, b"/s/app.html", 0.0).plain.lines
    with pytest.raises(ProxyError):
        cache.find(rule, b"/s/.env", 0.0)


def test_a_change_is_seen_within_its_life(cache: FileCache, tmp_path: Path) -> None:
    rule, path = rule_of(tmp_path), tmp_path / "a.txt"
    written(path, b"one")
    found = cache.find(rule, b"/s/a.txt", 10.0)
    written(path, b"two", LONG_AGO + 1)
    assert cache.find(rule, b"/s/a.txt", 10.0 + LIFE / 2) is found
    assert data_of(cache.find(rule, b"/s/a.txt", 10.0 + LIFE)) == b"two"
    path.unlink()
    with pytest.raises(ProxyError):
        cache.find(rule, b"/s/a.txt", 10.0 + 2 * LIFE)


def test_what_has_just_changed_is_read_again_though_it_looks_the_same(cache: FileCache, tmp_path: Path) -> None:
    rule, path = rule_of(tmp_path), tmp_path / "a.txt"
    now = int(time.time())
    written(path, b"one", now)
    cache.find(rule, b"/s/a.txt", 10.0)
    written(path, b"two", now)
    assert data_of(cache.find(rule, b"/s/a.txt", 10.0 + LIFE)) == b"two"


def test_what_has_not_changed_is_not_read_again(
    cache: FileCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule, path = rule_of(tmp_path), tmp_path / "a.html"
    written(path, b"<p>" * 1000)
    rule.compression = Compression((b"gzip",), 10, HTML)
    an_hour_on = time.time_ns() + 3600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: an_hour_on)
    first = cache.find(rule, b"/s/a.html", 10.0)
    made = first.choose(request("Accept-Encoding: gzip"), True)
    again = cache.find(rule, b"/s/a.html", 10.0 + LIFE)
    assert again is not first
    assert again.plain.file.data is first.plain.file.data
    assert again.choose(request("Accept-Encoding: gzip"), True) is made
    assert again.weight == 3000 + made.size


def test_a_file_that_is_sent_stays_open_though_it_is_forgotten(cache: FileCache, tmp_path: Path) -> None:
    before = descriptors()
    written(tmp_path / "big", b"x" * (KEPT + 1))
    file = cache.find(rule_of(tmp_path), b"/s/big", 0.0).plain.file
    (tmp_path / "big").unlink()
    assert cache.clear() == 1
    assert file.read(KEPT, 10) == b"x"
    assert descriptors() == before + 1
    del file
    assert descriptors() == before


def test_what_nobody_asks_for_is_let_go(cache: FileCache, tmp_path: Path) -> None:
    before = descriptors()
    rule = rule_of(tmp_path)
    for name in ("one", "two"):
        written(tmp_path / name, b"x" * (KEPT + 1))
    cache.find(rule, b"/s/one", 0.0)
    cache.find(rule, b"/s/two", 3.0)
    cache.sweep(5.0)
    assert (len(cache), descriptors()) == (1, before + 1)
    cache.sweep(20.0)
    assert (len(cache), descriptors()) == (0, before)


def test_entries_descriptors_and_bytes_are_bounded(
    cache: FileCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # spec: F3
    before = descriptors()
    rule = rule_of(tmp_path)
    for number in range(80):
        written(tmp_path / f"big{number}", b"x" * (KEPT + 1))
        cache.find(rule, b"/s/big%d" % number, float(number) / 100)
    assert len(cache) == 64
    assert descriptors() == before + 64
    for number in range(300):
        written(tmp_path / f"small{number}", b"x" * KEPT)
        cache.find(rule, b"/s/small%d" % number, 1 + float(number) / 1000)
    assert len(cache) <= 256 + 64
    written(tmp_path / "a", b"")
    for number in range(1100):
        cache.find(rule, b"/s" + b"/" * (number + 1) + b"a", 2.0)
    assert len(cache) <= 1024


def test_a_file_that_may_not_be_read_is_told_apart(
    cache: FileCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, code in (
        (13, "file_not_permitted"),
        (5, "file_not_readable"),
        (24, "out_of_descriptors"),
        (40, "file_not_found"),
    ):

        def fail(_root: int, _name: bytes, number: int = number) -> int:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(file_cache, "open_beneath", fail)
        with pytest.raises(ProxyError) as raised:
            cache.find(rule_of(tmp_path), b"/s/a", 0.0)
        assert raised.value.cause.code == code


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", b"br"),
        ("gzip, br;q=0.5", b"gzip"),
        ("gzip", b"gzip"),
        ("zstd", b"zstd"),
        ("identity", b""),
        ("br;q=0", b""),
        ("", b""),
    ],
)
def test_a_sibling_is_chosen_by_what_is_accepted(
    cache: FileCache, tmp_path: Path, accepted: str, coding: bytes
) -> None:
    # spec: C1, C2
    for end in ("", ".gz", ".br", ".zst"):
        written(tmp_path / f"a.js{end}", end.encode() or b"plain")
    found = cache.find(rule_of(tmp_path), b"/s/a.js", 0.0)
    form = found.choose(request(f"Accept-Encoding: {accepted}"), True)
    assert form.coding == coding
    assert b"Vary: Accept-Encoding\r\n" in form.lines
    assert (b"Content-Encoding: " + coding in form.lines) is bool(coding)
    assert b"Content-Type: text/javascript; charset=utf-8\r\n" in form.lines
    assert form.validators.tag.endswith(b"-" + coding + b'"') is bool(coding)


def test_what_has_no_sibling_is_compressed_as_the_domain_says(cache: FileCache, tmp_path: Path) -> None:
    # spec: C1, C2
    written(tmp_path / "small.html", b"<p>" * 10)
    written(tmp_path / "page.html", b"<p>" * 10000)
    written(tmp_path / "large.html", b"<p>" * AT_ONCE)
    written(tmp_path / "page.png", b"<p>" * 10000)
    rule = rule_of(tmp_path)
    rule.compression = Compression(AVAILABLE, 1000, HTML)
    head = request("Accept-Encoding: gzip")
    for name, coding, streamed in (
        ("small.html", b"", False),
        ("page.png", b"", False),
        ("page.html", b"gzip", False),
        ("large.html", b"gzip", True),
    ):
        form = cache.find(rule, b"/s/" + name.encode(), 0.0).choose(head, True)
        assert (form.coding, form.streamed) == (coding, streamed), name
        assert (b"Content-Length" in form.lines) is not streamed
    found = cache.find(rule, b"/s/page.html", 0.0)
    assert found.choose(head, True) is found.choose(head, True)
    assert found.choose(head, False).coding == b""
    assert found.choose(request("Accept-Encoding: gzip", "Range: bytes=0-1"), True).coding == b""


def test_what_may_not_be_transformed_stays(cache: FileCache, tmp_path: Path) -> None:
    # spec: C2
    written(tmp_path / "page.html", b"<p>" * 10000)
    rule = rule_of(tmp_path)
    rule.compression = Compression(AVAILABLE, 1000, HTML)
    rule.cache_control = b"public, No-Transform"
    found = cache.find(rule, b"/s/page.html", 0.0)
    assert found.choose(request("Accept-Encoding: gzip"), True).coding == b""
    assert b"Vary" not in found.plain.lines


# spec: L5
def test_one_file_has_one_descriptor_whoever_sends_from_it(
    cache: FileCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "a.bin", b"x" * (KEPT + 1))
    later = time.time_ns() + 10_000_000_000  # when it has not changed lately
    monkeypatch.setattr(time, "time_ns", lambda: later)
    before = descriptors()
    sent = []
    for path in (b"/s/a.bin", b"/s/%61.bin", b"/s/a.bin"):
        sent.append(cache.find(rule_of(tmp_path), path, 100.0).plain.file)
        cache.clear()
    assert descriptors() == before + 1
    written(tmp_path / "a.bin", b"y" * (KEPT + 1), LONG_AGO + 1)
    changed = cache.find(rule_of(tmp_path), b"/s/a.bin", 100.0).plain.file
    assert changed not in sent
    cache.clear()
    del sent, changed
    assert descriptors() == before
