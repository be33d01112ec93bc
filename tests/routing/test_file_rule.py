"""From a URL's path to the path of a file, as a route's pattern has it."""

from __future__ import annotations

import pytest

from lb.http.path_pattern import parse_pattern
from lb.routing.file_rule import FileRule


@pytest.mark.parametrize(
    ("pattern", "path", "name"),
    [
        ("/static/", b"/static/css/a.css", b"css/a.css"),
        ("/static/", b"/static", b""),
        ("/", b"/a.txt", b"a.txt"),
        ("/favicon.ico", b"/favicon.ico", b"favicon.ico"),
        ("/img/{rest}", b"/img/a/b.png", b"a/b.png"),
    ],
)
def test_the_file_is_what_stands_behind_the_pattern(pattern: str, path: bytes, name: bytes) -> None:
    found = FileRule(b"/srv", parse_pattern(pattern)).file_of(path)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("path", [b"/static/../a", b"/static/%2e%2e/a", b"/static/.git/config", b"/static/a%00"])
def test_what_may_not_be_served_is_no_file(path: bytes) -> None:
    # spec: P2
    assert FileRule(b"/srv", parse_pattern("/static/")).file_of(path) is None
