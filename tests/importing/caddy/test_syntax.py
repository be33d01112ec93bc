"""A Caddyfile's lines, words and blocks, and where a file is broken."""

from __future__ import annotations

import pytest

from lb.importing.caddy.syntax import parse_caddyfile
from lb.importing.source_line import UnreadableSourceError

WORDS = [
    ("a.example.com {\n respond hi\n}", ("respond", "hi")),
    ('a {\n header X "a \\"b\\""\n}', ("header", "X", 'a "b"')),
    ('a {\n respond `{"a": 1}`\n}', ("respond", '{"a": 1}')),
    ("a {\n respond a#b # comment\n}", ("respond", "a#b")),
    ("a {\n reverse_proxy one \\\n  two\n}", ("reverse_proxy", "one", "two")),
    ("a {\n respond <<END\n  line one\n  two\n  END 200\n}", ("respond", "  line one\n  two", "200")),
    ("a {\n email {$MAIL}\n}", ("email", "${MAIL}")),
    ("a {\n email {$MAIL:x@y}\n}", ("email", "${MAIL:-x@y}")),
    ("a {\n redir https://b{uri}\n}", ("redir", "https://b{uri}")),
    ("a\nrespond hi", ("respond", "hi")),
]


@pytest.mark.parametrize(("text", "words"), WORDS)
def test_words(text: str, words: tuple[str, ...]) -> None:
    (site,) = parse_caddyfile("Caddyfile", text)
    assert site.block is not None
    assert site.block[0].words == words


def test_addresses_go_on_after_a_comma() -> None:
    (site,) = parse_caddyfile("Caddyfile", "a.example.com,\nb.example.com {\n}\n")
    assert site.words == ("a.example.com,", "b.example.com")


def test_lines_after_a_continued_one_keep_their_numbers() -> None:
    (site,) = parse_caddyfile("Caddyfile", "a {\n one x \\\n y\n two\n}")
    assert site.block is not None
    assert [(line.name, line.at.line) for line in site.block] == [("one", 2), ("two", 4)]


BROKEN = [
    ("a {\n respond x\n", 1, 'no "}"'),
    ("}", 1, 'without a "{"'),
    ("a {\n}\n}", 3, 'without a "{"'),
    ('a {\n respond "x\n}', 2, "does not end"),
    ("a {\n respond <<END\n x\n}", 2, "no END"),
    ("a {\n" * 60, 51, "more than 50 deep"),
]


@pytest.mark.parametrize(("text", "line", "reason"), BROKEN)
def test_a_broken_file_says_where(text: str, line: int, reason: str) -> None:
    with pytest.raises(UnreadableSourceError) as failure:
        parse_caddyfile("Caddyfile", text)
    assert str(failure.value).startswith(f"Caddyfile:{line}: ")
    assert reason in failure.value.message
