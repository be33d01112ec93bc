"""A tree of YAML nodes becomes plain values, each with its place."""

from __future__ import annotations

import pytest

from lb.config.problems import Source, Span
from lb.config.tree import (
    AliasBombError,
    Blank,
    MappingNode,
    Node,
    Reader,
    Scalar,
    Sequence,
    Unreadable,
    without,
)
from lb.config.units import Plain

HERE = Span(0, 0, 1)


def text(value: str, *, plain: bool = True, line: int = 0) -> Scalar:
    return Scalar(Span(line, 0, len(value)), value, plain)


def table(*items: tuple[str, Node]) -> MappingNode:
    return MappingNode(HERE, [(text(key, line=number), value) for number, (key, value) in enumerate(items)])


def read(node: Node, **environ: str) -> tuple[object, list[str], Reader]:
    reader = Reader(Source.of("lb.yaml", "x\n" * 10), environ)
    value = reader.read(node)
    return value, [problem.message for problem in reader.problems], reader


def test_values_are_what_they_look_like() -> None:
    value, problems, _ = read(
        table(("a", text("22:22")), ("b", Sequence(HERE, [text("NO"), text("010", plain=False)])))
    )
    assert value == {"a": "22:22", "b": ["NO", "010"]}
    assert problems == []
    assert isinstance(value, dict)
    assert isinstance(value["a"], Plain)  # without quotes it may still be a number for a key that asks for one
    assert not isinstance(value["b"][1], Plain)


def test_what_is_not_written_is_told_from_what_is_wrong() -> None:
    assert read(text(""))[0] is read(text("~"))[0] is Blank.EMPTY
    assert read(Unreadable(HERE))[0] is Blank.REPORTED
    assert read(text("", plain=False))[0] == ""


# spec: E3
def test_keys_stand_once_and_are_words() -> None:
    odd = MappingNode(HERE, [(Sequence(HERE, []), text("1")), (text("<<"), text("2"))])
    value, problems, _ = read(odd)
    assert value == {}
    assert problems == ["a key must be text", 'merge keys ("<<") are not supported']
    value, problems, _ = read(table(("a", text("1")), ("a", text("2"))))
    assert value == {"a": "1"}
    assert problems == ['the key "a" appears twice']


def test_variables_are_replaced_and_missing_ones_reported() -> None:
    assert read(text("${PORT}"), PORT="80")[0] == "80"
    value, problems, _ = read(text("${PORT}"))
    assert value is Blank.REPORTED
    assert problems == ["the environment variable PORT is not set"]


def test_every_value_has_a_place() -> None:
    _, _, reader = read(table(("a", Sequence(HERE, [text("1")]))))
    assert set(reader.origin.places) == {(), ("a",), ("a", 0)}


# spec: L1
def test_aliases_of_aliases_end() -> None:
    bomb: Node = text("x")
    for _ in range(10):
        bomb = Sequence(HERE, [bomb] * 10)
    with pytest.raises(AliasBombError):
        read(bomb)
    loop = Sequence(HERE, [])
    loop.items.append(loop)
    with pytest.raises(AliasBombError):
        read(loop)


def test_what_was_refused_is_taken_out_and_places_move_along() -> None:
    value, _, reader = read(
        table(("a", Sequence(HERE, [text("1"), text("2", line=2), text("3", line=3)])), ("b", text("4")))
    )
    left, origin = without(value, reader.origin, {("a", 1), ("b",)})
    assert left == {"a": ["1", "3"]}
    assert origin.places["a", 1].value.line == 3
    assert ("b",) not in origin.places
