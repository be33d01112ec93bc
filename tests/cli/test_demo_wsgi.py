"""The demo's WSGI app by itself."""

from __future__ import annotations

from lb.cli.demo_wsgi import application


def test_it_says_hello() -> None:
    seen: list[object] = []
    body = b"".join(application({"PATH_INFO": "/x"}, lambda *response: seen.append(response)))
    assert seen == [("200 OK", [("Content-Type", "text/plain; charset=utf-8")])]
    assert body == b"Hello from -, release -: /x\n"
