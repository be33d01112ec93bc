"""Files that a route serves: which file, in which form, whether anything at all; and nothing outside the directory."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness.client import Client, get, message, post
from tests.e2e.harness.door import FrontDoor
from tests.e2e.harness.expect import assert_error
from tests.e2e.harness.instance import Instance
from tests.e2e.harness.scripts import Echo, echo
from tests.e2e.harness.waiting import wait_for
from tests.e2e.harness.wire import Response

HOST = "shop.example.com"
STATIC = "static.example.com"
LONG_AGO = 1_600_000_000
DATED = b"Sun, 13 Sep 2020 12:26:40 GMT"
IMMUTABLE = b"public, max-age=31536000, immutable"
PAGE = b"<p>page</p>\n" * 2000
LARGE = b"<p>large page</p>\n" * 40_000
SCRIPT = b"let a = 1;\n" * 500

SECRET = b"never to be seen"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of files, and a secret beside it."""
    around = tmp_path_factory.mktemp("files")
    (around / "secret.txt").write_bytes(SECRET)
    root = around / "public"
    for name, data in {
        "one.bin": b"1",
        "a.txt": b"0123456789" * 10,
        "empty.txt": b"",
        "page.html": PAGE,
        "large.html": LARGE,
        "app.js": SCRIPT,
        "app.js.gz": gzip.compress(SCRIPT, 9),
        "app.js.br": b"as if it were brotli",
        "a b+ü.txt": b"odd name",
        "index.html": b"<h1>index</h1>",
        "docs/index.html": b"<h1>docs</h1>",
        "bare/only.txt": b"no index here",
        ".env": SECRET,
        ".git/config": SECRET,
        "docs/.htaccess": SECRET,
        ".well-known/security.txt": b"Contact: mailto:a@example.com",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (LONG_AGO, LONG_AGO))
    (root / "inner").symlink_to("docs")
    (root / "outside.txt").symlink_to("../secret.txt")
    (root / "absolute.txt").symlink_to(around / "secret.txt")
    (root / "up").symlink_to("..")
    return root


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, files: Path) -> Iterator[FrontDoor]:
    with ExitStack() as stack:
        shop = stack.enter_context(Instance(echo("shop")))
        directory = tmp_path_factory.mktemp("door")
        (directory / "missing.html").write_text("<h1>Not here</h1>")
        config: dict[str, Any] = {
            "listen": {"http": "127.0.0.1:0"},
            "workers": 1,
            "apps": {
                "shop": {
                    "domains": [HOST],
                    "production": {"instances": [shop.address]},
                    "errors": {404: str(directory / "missing.html")},
                    "routes": [
                        {"path": "/static/", "files": str(files), "cache_control": IMMUTABLE.decode()},
                        {"path": "/bare/", "files": str(files), "index": False},
                        {"path": "/a.txt", "files": str(files)},
                        {
                            "path": "/marked/",
                            "files": str(files),
                            "headers": {"response": {"set": {"X-Frame-Options": "DENY"}}},
                            "cors": {"origins": ["https://app.example.com"]},
                        },
                        {"path": "/closed/", "files": str(files), "deny": True},
                    ],
                },
                "site": {"domains": [STATIC], "routes": [{"path": "/", "files": str(files), "fallback": "page.html"}]},
            },
        }
        yield stack.enter_context(FrontDoor(config, directory))


def asked(door: FrontDoor, target: str, *lines: str, host: str = HOST) -> Response:
    return door.ask(get(target, *lines, host=host))


@pytest.mark.parametrize(
    ("target", "body", "media_type"),
    [
        ("/static/one.bin", b"1", b"application/octet-stream"),
        ("/static/a.txt", b"0123456789" * 10, b"text/plain; charset=utf-8"),
        ("/static/empty.txt", b"", b"text/plain; charset=utf-8"),
        ("/static/a%20b+%C3%BC.txt", b"odd name", b"text/plain; charset=utf-8"),
        ("/static/page.html?v=1", PAGE, b"text/html; charset=utf-8"),
        ("/static/large.html", LARGE, b"text/html; charset=utf-8"),
        ("/static/", b"<h1>index</h1>", b"text/html; charset=utf-8"),
        ("/static/docs/", b"<h1>docs</h1>", b"text/html; charset=utf-8"),
        ("/static//docs//", b"<h1>docs</h1>", b"text/html; charset=utf-8"),
        ("/static/inner/", b"<h1>docs</h1>", b"text/html; charset=utf-8"),
        ("/static/.well-known/security.txt", b"Contact: mailto:a@example.com", b"text/plain; charset=utf-8"),
        ("/a.txt", b"0123456789" * 10, b"text/plain; charset=utf-8"),
    ],
)
def test_a_file_is_served(door: FrontDoor, target: str, body: bytes, media_type: bytes) -> None:
    response = asked(door, target)
    assert (response.status, response.body) == (200, body)
    assert response.one("content-type") == media_type
    assert response.one("last-modified") == DATED
    assert response.one("accept-ranges") == b"bytes"
    assert response.one("x-content-type-options") == b"nosniff"
    assert response.one("content-length") == b"%d" % len(body)
    assert re.fullmatch(rb'"[0-9a-f]+-[0-9a-f]+"', response.one("etag"))
    assert response.has("date")
    if target.startswith("/static/"):
        assert response.one("cache-control") == IMMUTABLE


def test_what_no_route_serves_goes_to_the_app(door: FrontDoor) -> None:
    assert Echo(asked(door, "/other")).instance == "shop"


def test_the_log_counts_what_went(door: FrontDoor) -> None:
    asked(door, "/static/large.html?counted")
    entry = door.wait_log(target="/static/large.html?counted")
    assert (entry["status"], entry["bytes_sent"], entry["cause"], entry["instance"]) == (200, len(LARGE), None, None)
    assert (entry["app"], entry["environment"]) == ("shop", "production")


def test_head_says_what_get_would(door: FrontDoor) -> None:
    own = {b"Date": b"", b"X-Request-Id": b""}
    with door.connect() as client:
        for target in ("/static/a.txt", "/static/large.html"):
            by_get = client.ask(get(target, host=HOST))
            by_head = client.ask(message(f"HEAD {target}", host=HOST))
            assert by_head.body == b""
            assert dict(by_head.fields) | own == dict(by_get.fields) | own


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"])
def test_files_are_only_read(door: FrontDoor, method: str) -> None:
    for target in ("/static/a.txt", "/static/missing"):
        response = door.ask(message(f"{method} {target}", host=HOST))
        assert_error(response, 405, "method_not_allowed")
        assert response.one("allow") == b"GET, HEAD"


def test_a_body_that_nobody_reads_ends_the_connection(door: FrontDoor) -> None:
    with door.connect() as client:
        client.send(post("/static/a.txt", b"x" * 1000, host=HOST))
        assert client.response("POST").status == 405
        assert client.rest() == b""


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/static", "/static/"),
        ("/static/docs", "/static/docs/"),
        ("/static/docs?a=b", "/static/docs/?a=b"),
        ("/static/inner", "/static/inner/"),
    ],
)
def test_a_directory_without_its_slash_is_redirected(door: FrontDoor, target: str, location: str) -> None:
    response = asked(door, target)
    assert (response.status, response.one("location").decode()) == (301, location)


def test_a_redirect_stays_on_its_host(door: FrontDoor) -> None:
    assert asked(door, "//docs", host=STATIC).one("location") == b"/docs/"


_OUTSIDE = [
    "/static/../secret.txt",
    "/static/%2e%2e/secret.txt",
    "/static/%2E%2E%2Fsecret.txt",
    "/static/..%2fsecret.txt",
    "/static/..%5csecret.txt",
    "/static/..\\secret.txt",
    "/static/docs/../../secret.txt",
    "/static/docs/..%2f..%2fsecret.txt",
    "/static/%252e%252e/secret.txt",
    "/static/..;/secret.txt",
    "/static/.%2e/secret.txt",
    "/static/%c0%ae%c0%ae/secret.txt",
    "/static/..%00/secret.txt",
    "/static/a.txt%00.html",
    "/static//../secret.txt",
    "/static/./../secret.txt",
    "/static/up/secret.txt",
    "/static/up/public/a.txt",
    "/static/outside.txt",
    "/static/absolute.txt",
    "/static/.env",
    "/static/%2eenv",
    "/static/.git/config",
    "/static/docs/.htaccess",
    "/static/docs/../.env",
    "/static//etc/passwd",
    "/static/%2fetc/passwd",
    "/static/%5c%5cserver",
    "/static/...",
    "/static/.",
    "/static/..",
    "/static/%",
    "/static/%zz",
    "/a.txt/../secret.txt",
    "/static../secret.txt",
]


@pytest.mark.parametrize("target", _OUTSIDE)
def test_nothing_else_can_be_fetched(door: FrontDoor, target: str) -> None:
    # spec: P2
    response = asked(door, target)
    assert SECRET not in response.body
    assert b"root:" not in response.body
    if not (response.status == 200 and Echo(response).instance == "shop"):
        assert_error(response, 404, "file_not_found")
    else:
        assert not target.startswith("/static/")


@pytest.mark.parametrize("target", _OUTSIDE)
def test_what_is_refused_has_no_fallback(door: FrontDoor, target: str) -> None:
    # spec: P2
    response = asked(door, target, host=STATIC)
    assert SECRET not in response.body


@pytest.mark.parametrize(
    "target", ["/static/missing", "/static/bare/", "/static/bare", "/static/a.txt/", "/bare/docs/"]
)
def test_what_is_not_there_is_told(door: FrontDoor, target: str) -> None:
    assert_error(asked(door, target), 404, "file_not_found")
    door.wait_log(target=target, status=404, cause="file_not_found")


def test_the_apps_page_stands_for_a_missing_file(door: FrontDoor) -> None:
    response = asked(door, "/static/missing", "Accept: text/html")
    assert (response.status, response.body) == (404, b"<h1>Not here</h1>")


def test_a_single_page_app_answers_every_path(door: FrontDoor) -> None:
    response = asked(door, "/users/7?tab=a", host=STATIC)
    assert (response.status, response.body) == (200, PAGE)
    assert response.one("cache-control") == b"no-cache"
    assert not asked(door, "/page.html", host=STATIC).has("cache-control")
    assert asked(door, "/", host=STATIC).body == b"<h1>index</h1>"


def test_guards_fields_and_cors_hold_for_files(door: FrontDoor) -> None:
    # spec: P3
    response = asked(door, "/marked/a.txt", "Origin: https://app.example.com")
    assert response.one("x-frame-options") == b"DENY"
    assert response.one("access-control-allow-origin") == b"https://app.example.com"
    not_modified = asked(door, "/marked/a.txt", f"If-None-Match: {response.one('etag').decode()}")
    assert (not_modified.status, not_modified.one("x-frame-options")) == (304, b"DENY")
    assert_error(asked(door, "/closed/a.txt"), 403, "http_request_denied")
    assert_error(asked(door, "/static/../closed/a.txt"), 403, "http_request_denied")


@pytest.mark.parametrize(
    ("request_line", "lines", "status"),
    [
        ("GET /static/a.txt", (), 200),
        ("HEAD /static/large.html", (), 200),
        ("GET /static/large.html", ("Range: bytes=0-9",), 206),
        ("GET /static/a.txt", ("If-Modified-Since: " + DATED.decode(),), 304),
        ("GET /static/none", (), 404),
    ],
)
def test_every_answer_has_the_requests_identifier(
    door: FrontDoor, request_line: str, lines: tuple[str, ...], status: int
) -> None:
    # spec: H5
    response = door.ask(message(request_line, "X-Request-Id: abcdef0123456789", *lines, host=HOST))
    assert (response.status, response.all("x-request-id")) == (status, [b"abcdef0123456789"])
    made = door.ask(message(request_line, *lines, host=HOST)).one("x-request-id").decode()
    assert door.wait_log(request_id=made)["status"] == status


def test_who_has_it_is_told_so(door: FrontDoor) -> None:
    whole = asked(door, "/static/a.txt")
    tag = whole.one("etag").decode()
    for line in (f"If-None-Match: {tag}", "If-None-Match: *", f"If-Modified-Since: {DATED.decode()}"):
        response = asked(door, "/static/a.txt", line)
        assert (response.status, response.body) == (304, b""), line
        assert response.one("etag") == whole.one("etag")
        assert response.one("cache-control") == IMMUTABLE
        assert not response.has("content-type")
    for line in ('If-None-Match: "other"', "If-Modified-Since: Sun, 13 Sep 2020 12:26:39 GMT"):
        assert asked(door, "/static/a.txt", line).status == 200
    for line in ('If-Match: "other"', "If-Unmodified-Since: Sun, 13 Sep 2020 12:26:39 GMT"):
        response = asked(door, "/static/a.txt", line)
        assert_error(response, 412, "precondition_failed")
        assert response.one("etag") == whole.one("etag")
    assert asked(door, "/static/a.txt", f"If-Match: {tag}").status == 200


@pytest.mark.parametrize(
    ("spec", "start", "size"), [("0-0", 0, 1), ("90-", 90, 10), ("-5", 95, 5), ("10-19", 10, 10), ("0-9999", 0, 100)]
)
def test_a_range_of_a_small_file(door: FrontDoor, spec: str, start: int, size: int) -> None:
    response = asked(door, "/static/a.txt", f"Range: bytes={spec}")
    assert (response.status, response.body) == (206, (b"0123456789" * 10)[start : start + size])
    assert response.one("content-range") == b"bytes %d-%d/100" % (start, start + size - 1)


def test_a_range_of_a_large_file(door: FrontDoor) -> None:
    response = asked(door, "/static/large.html", "Range: bytes=100000-499999")
    assert (response.status, response.body) == (206, LARGE[100_000:500_000])


@pytest.mark.parametrize(("name", "whole"), [("a.txt", b"0123456789" * 10), ("large.html", LARGE)])
def test_several_ranges_come_as_parts(door: FrontDoor, name: str, whole: bytes) -> None:
    response = asked(door, f"/static/{name}", "Range: bytes=10-19, 0-4,-5")
    assert response.status == 206
    match = re.fullmatch(rb"multipart/byteranges; boundary=([0-9a-f]+)", response.one("content-type"))
    assert match is not None
    *parts, last = response.body.split(b"\r\n--" + match[1])[1:]
    assert last == b"--\r\n"
    wanted = [whole[10:20], whole[:5], whole[-5:]]
    assert [part.partition(b"\r\n\r\n")[2] for part in parts] == wanted
    assert b"Content-Range: bytes 10-19/%d" % len(whole) in parts[0]
    assert b"charset=utf-8" in parts[0]


def test_ranges_that_are_not_there_or_not_worth_it(door: FrontDoor) -> None:
    response = asked(door, "/static/a.txt", "Range: bytes=100-")
    assert_error(response, 416, "range_not_satisfiable")
    assert response.one("content-range") == b"bytes */100"
    for spec in ("bytes=0-,0-", "items=0-1", "bytes=5-1", "bytes=" + ",".join(["0-0"] * 80)):
        assert asked(door, "/static/a.txt", f"Range: {spec}").status == 200, spec
    assert door.ask(message("HEAD /static/a.txt", "Range: bytes=0-1", host=HOST)).status == 200


def test_a_range_holds_for_the_version_that_the_client_has(door: FrontDoor) -> None:
    tag = asked(door, "/static/a.txt").one("etag").decode()
    for condition, status in ((tag, 206), (DATED.decode(), 206), ('"other"', 200), (f"W/{tag}", 200), ("x", 200)):
        response = asked(door, "/static/a.txt", "Range: bytes=0-1", f"If-Range: {condition}")
        assert response.status == status, condition


def test_compressed_siblings_are_sent_to_who_accepts_them(door: FrontDoor) -> None:
    # spec: C1, C2
    plain = asked(door, "/static/app.js")
    assert (plain.body, plain.has("content-encoding"), plain.one("vary")) == (SCRIPT, False, b"Accept-Encoding")
    by_gzip = asked(door, "/static/app.js", "Accept-Encoding: gzip")
    assert (gzip.decompress(by_gzip.body), by_gzip.one("content-encoding")) == (SCRIPT, b"gzip")
    by_brotli = asked(door, "/static/app.js", "Accept-Encoding: gzip, br")
    assert by_brotli.body == b"as if it were brotli"
    assert by_brotli.one("content-type") == b"text/javascript; charset=utf-8"
    assert len({plain.one("etag"), by_gzip.one("etag"), by_brotli.one("etag")}) == 3
    tag = by_gzip.one("etag").decode()
    assert asked(door, "/static/app.js", "Accept-Encoding: gzip", f"If-None-Match: {tag}").status == 304
    assert asked(door, "/static/app.js", "Accept-Encoding: br", f"If-None-Match: {tag}").status == 200
    ranged = asked(door, "/static/app.js", "Accept-Encoding: gzip", "Range: bytes=0-9", f"If-Range: {tag}")
    assert (ranged.status, ranged.body) == (206, by_gzip.body[:10])


@pytest.mark.parametrize(
    ("name", "whole", "framing"), [("page.html", PAGE, "length"), ("large.html", LARGE, "chunked")]
)
def test_what_has_no_sibling_is_compressed_on_the_way(door: FrontDoor, name: str, whole: bytes, framing: str) -> None:
    # spec: C1, C2
    with door.connect() as client:
        for _ in range(2):
            response = client.ask(get(f"/static/{name}", "Accept-Encoding: gzip", host=HOST))
            assert (response.framing, response.one("content-encoding")) == (framing, b"gzip")
            assert zlib.decompress(response.body, 31) == whole
            assert response.one("vary") == b"Accept-Encoding"
            assert not response.has("accept-ranges")
        tag = response.one("etag").decode()
        again = client.ask(get(f"/static/{name}", "Accept-Encoding: gzip", f"If-None-Match: {tag}", host=HOST))
        assert again.status == 304
        ranged = client.ask(
            get(f"/static/{name}", "Accept-Encoding: gzip", "Range: bytes=0-9", f"If-Range: {tag}", host=HOST)
        )
        assert (ranged.status, ranged.body) == (200, whole)
        old = client.ask(get(f"/static/{name} HTTP/1.0", "Accept-Encoding: gzip", host=HOST))
        assert old.body == whole


def test_requests_one_after_the_other_and_at_once(door: FrontDoor) -> None:
    # spec: F4
    targets = ["/static/a.txt", "/static/large.html", "/static/missing", "/static/one.bin"] * 3
    with door.connect() as client:
        client.send(b"".join(get(target, host=HOST) for target in targets))
        bodies = [client.response().body for _ in targets]
    assert bodies[0::4] == [b"0123456789" * 10] * 3
    assert bodies[1::4] == [LARGE] * 3
    assert bodies[3::4] == [b"1"] * 3


def test_a_changed_file_is_seen_within_a_moment(door: FrontDoor, files: Path) -> None:
    path = files / "changing.txt"
    path.write_bytes(b"one")
    first = asked(door, "/static/changing.txt")
    assert first.body == b"one"
    path.write_bytes(b"two")
    wait_for(lambda: asked(door, "/static/changing.txt").body == b"two", "the change to be seen", 3.0)
    assert asked(door, "/static/changing.txt").one("etag") != first.one("etag")
    replacement = files / "changing.new"
    replacement.write_bytes(b"x" * 200_000)
    replacement.rename(path)
    wait_for(lambda: len(asked(door, "/static/changing.txt").body) == 200_000, "the replacement to be seen", 3.0)
    path.unlink()
    wait_for(lambda: asked(door, "/static/changing.txt").status == 404, "its end to be seen", 3.0)


def test_a_reload_serves_another_directory(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(name)
    config: dict[str, Any] = {
        "listen": {"http": "127.0.0.1:0"},
        "workers": 1,
        "apps": {"site": {"domains": [HOST], "routes": [{"path": "/", "files": str(tmp_path / "one")}]}},
    }
    with FrontDoor(config, tmp_path) as door, Client(("127.0.0.1", door.http)) as client:
        assert client.ask(get("/a.txt", host=HOST)).body == b"one"
        config["apps"]["site"]["routes"][0]["files"] = str(tmp_path / "two")
        assert door.reload(config)
        wait_for(lambda: asked(door, "/a.txt").body == b"two", "the other directory")
