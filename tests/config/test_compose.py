"""Bytes → text → YAML nodes that know where they are: where what cannot be read is reported."""

from __future__ import annotations

import pytest

from lb.config import tree
from lb.config.compose import compose, decode
from lb.config.problems import ConfigErrors, Problem, Source


@pytest.mark.parametrize(
    ("data", "place", "message"),
    [
        (b"\xff\xfea\0", (1, 1), "this file is UTF-16"),
        (b"a: 1\nb: \xff\n", (2, 4), "the byte 0xff is not UTF-8 text"),
        (b"a: 1\nb: \x07\n", (2, 4), "the control character U+0007 is not allowed in a YAML file"),
    ],
)
def test_bytes_that_are_no_text(data: bytes, place: tuple[int, int], message: str) -> None:
    with pytest.raises(ConfigErrors) as raised:
        decode("x", data)
    (problem,) = raised.value.problems
    assert (problem.line, problem.column, problem.message) == (*place, message)


def test_a_byte_order_mark_is_accepted() -> None:
    assert decode("x", b"\xef\xbb\xbfa: 1") == "a: 1"


def test_every_node_knows_its_place() -> None:
    problems: list[Problem] = []
    node = compose(Source.of("x", "a: 1\nb: [2, 'three']\n"), problems)
    assert isinstance(node, tree.MappingNode)
    (_, (key, value)) = node.items
    assert (key.span.line, key.span.column) == (1, 0)
    assert isinstance(value, tree.Sequence)
    two, three = value.items
    assert isinstance(two, tree.Scalar)
    assert isinstance(three, tree.Scalar)
    assert ((two.text, two.plain), (three.text, three.plain)) == (("2", True), ("three", False))
    assert (three.span.line, three.span.column) == (1, 7)
    assert problems == []


def test_a_mistake_after_which_the_rest_is_readable_does_not_end_the_reading() -> None:
    problems: list[Problem] = []
    compose(Source.of("x", "a: !odd 1\nb: *none\n"), problems)
    assert [(problem.line, problem.message) for problem in problems] == [
        (1, 'the tag "!odd" is not supported'),
        (2, 'the alias "*none" is not defined'),
    ]
