"""nginx's language: words, quotes, variables, blocks, and where a file is broken."""

from __future__ import annotations

import pytest

from lb.importing.nginx.syntax import Directive, parse
from lb.importing.source_line import UnreadableSourceError


def one(text: str) -> Directive:
    (found,) = parse("nginx.conf", text)
    return found


WORDS = [
    ("listen 80 default_server;", ("80", "default_server")),
    ("listen\n  80\n  ;", ("80",)),
    ("log_format main \"a b\" 'c;d';", ("main", "a b", "c;d")),
    (r'add_header X "a\"b";', ("X", 'a"b')),
    (r"location_like ~ \.(js|css)$;", ("~", r"\.(js|css)$")),
    ("set $a ${b}c;", ("$a", "${b}c")),
    ("set $a x#y; # comment", ("$a", "x#y")),
    ("set $a '';", ("$a", "")),
    ("set $a http://x/;", ("$a", "http://x/")),
    (r"set $a a\ b;", ("$a", r"a\ b")),
    ("set $a 'x\\ty';", ("$a", "x\ty")),
]


@pytest.mark.parametrize(("text", "words"), WORDS)
def test_words(text: str, words: tuple[str, ...]) -> None:
    assert one(text).arguments == words


def test_blocks_and_lines() -> None:
    server = one("# first\nserver {\n  listen 80;\n\n  location / { return 404; }\n}\n")
    assert (server.name, server.at.line) == ("server", 2)
    assert server.block is not None
    listen, location = server.block
    assert (listen.written(), listen.at.line) == ("listen 80", 3)
    assert (location.arguments, location.at.line) == (("/",), 5)
    assert location.block is not None
    assert location.block[0].written() == "return 404"


def test_code_of_another_language_is_skipped() -> None:
    block, after = parse("x", "content_by_lua_block { local t = {1; 2} }\nlisten 80;")
    assert block.block == ()
    assert (after.written(), after.at.line) == ("listen 80", 2)


BROKEN = [
    ("server {", 1, 'no "}"'),
    ("listen 80", 1, 'no ";"'),
    ("server {\n listen 80\n}", 2, 'no ";"'),
    ("}\n", 1, 'without a "{"'),
    (";", 1, "without a directive"),
    ("{ }", 1, "without a directive"),
    ("\nset $a 'x", 2, "does not end"),
    ("set $a ${b", 1, "does not end"),
    ("a { " * 60, 1, "more than 50 deep"),
    ("x_by_lua_block { {", 1, 'no "}"'),
]


@pytest.mark.parametrize(("text", "line", "reason"), BROKEN)
def test_a_broken_file_says_where(text: str, line: int, reason: str) -> None:
    with pytest.raises(UnreadableSourceError) as failure:
        parse("nginx.conf", text)
    assert str(failure.value).startswith(f"nginx.conf:{line}: ")
    assert reason in failure.value.message
