"""The words of a YAML parser, and what an operator has to change (whole files are in `tests/config/broken`)."""

from __future__ import annotations

import pytest

from lb.config.syntax import ParseFailure, explain_run_on, explain_stumble, too_deep


def explained(line: str, column: int, problem: str, context: str = "", *, opening: bool = False) -> tuple[str, str]:
    return explain_stumble(ParseFailure(problem, context, line, column, opening))


@pytest.mark.parametrize(
    ("line", "column", "problem", "context", "message"),
    [
        ("\thttp: x", 0, "found character that cannot start any token", "", "indented with a tab"),
        ('a: "b', 3, "found unexpected end of stream", "while scanning a quoted scalar", "never closed"),
        ('a: "\\q"', 4, "found unknown escape character", "while parsing a quoted scalar", "a backslash"),
        ("a: *.example.com", 3, "did not find expected", "while scanning an alias", 'begins with "*" needs quotes'),
        ("a: @b", 3, "found character that cannot start any token", "", 'begins with "@" needs quotes'),
        (
            "a: [::1]:80",
            4,
            "did not find expected node content",
            "while parsing a flow node",
            "an IPv6 address needs quotes",
        ),
        ("a: {b: c", 3, "did not find expected ',' or '}'", "while parsing a flow mapping", "a"),
        ("a: b: c", 4, "mapping values are not allowed in this context", "", 'a second ":"'),
        ("a:", 0, "could not find expected ':'", "", 'a ":" is missing'),
        ("a: - b", 3, "block sequence entries are not allowed", "", 'a "-" is not allowed here'),
        ("  - b", 2, "did not find expected key", "", "a list item is not expected here"),
        ("  b: c", 2, "did not find expected key", "", "does not fit the lines before it"),
        ("x", 0, "something quite new", "", "not valid YAML: something quite new"),
    ],
)
def test_each_mistake_has_its_words(line: str, column: int, problem: str, context: str, message: str) -> None:
    # spec: E3
    said, hint = explained(line, column, problem, context)
    assert message in said
    assert hint


def test_what_is_never_closed_is_told_at_its_opening() -> None:
    said, _ = explained("a: [b,", 3, "did not find expected node content", "while parsing a flow node", opening=True)
    assert said == 'this "[" is never closed'


@pytest.mark.parametrize(
    ("line", "deepest", "column"),
    [("[[[]]]", 2, 2), ("[[]]", 2, None), ("'[[['", 2, None), ('"\\"[[["', 2, None), ("{[{", 2, 2)],
)
def test_brackets_that_are_nested_too_deep(line: str, deepest: int, column: int | None) -> None:
    assert too_deep(line, len(line), deepest) == column


@pytest.mark.parametrize(
    ("first", "words"),
    [("server {", "another program"), ("-a", "continues on the next line"), ("a b", "continues on the next line")],
)
def test_a_value_that_goes_on_in_the_next_line(first: str, words: str) -> None:
    said, hint = explain_run_on(first, 1)
    assert words in said
    assert hint
