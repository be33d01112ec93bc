"""A tree of YAML nodes → plain Python values, and a map from the path of each value to its place in the file.

This file adds rules to YAML's: keys are text and unique, a value is never left out, variables are replaced, aliases
cannot expand without bound. It must not know which keys exist; whether text is a number is decided by the key that
needs one (`Plain`), so `22:22`, `NO` and `010` are what they look like.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from lb.config.problems import KeyPath, Origin, Place, Problem, Source, Span, quoted
from lb.config.units import Expanded, Plain
from lb.config.variables import expand, has_reference

DEEPEST = 20  # levels, with aliases expanded; lb's keys need six
_NODES_FREE = 10_000  # nodes that aliases may add; without them no file has more values than characters


class Blank(Enum):
    """Stands for a missing value: none is written, or its error is already reported."""

    EMPTY = "nothing"
    REPORTED = "what is reported already"


@dataclass(frozen=True, slots=True)
class Scalar:
    """Text; `plain` if it has no quotes."""

    span: Span
    text: str
    plain: bool


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    span: Span
    items: list[Node]


@dataclass(frozen=True, slots=True)
class MappingNode:
    """A mapping with its keys as written: in order, and perhaps twice."""

    span: Span
    items: list[tuple[Node, Node]]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A node whose error is already reported."""

    span: Span


Node = Scalar | Sequence | MappingNode | Unreadable


class AliasBombError(Exception):
    """Nested aliases expand far beyond the file."""


class Reader:
    """Reads one tree; the results are in `origin.places` and `problems`. Raises AliasBombError."""

    def __init__(self, source: Source, environ: Mapping[str, str]) -> None:
        self.origin = Origin(source)
        self.problems: list[Problem] = []
        self._environ = environ
        self._left = _NODES_FREE + sum(len(line) + 1 for line in source.lines)

    def read(self, node: Node, path: KeyPath = (), key: Span | None = None) -> object:
        """The value of `node`, which is at `path` after the key at `key`."""
        self._left -= 1
        if self._left < 0 or len(path) > DEEPEST:
            raise AliasBombError
        self.origin.places[path] = Place(key or node.span, node.span)
        if isinstance(node, Unreadable):
            return Blank.REPORTED
        if isinstance(node, Scalar):
            return self._scalar(node)
        if isinstance(node, Sequence):
            return [self.read(item, (*path, index)) for index, item in enumerate(node.items)]
        return self._table(node, path)

    def _table(self, node: MappingNode, path: KeyPath) -> dict[str, object]:
        values: dict[str, object] = {}
        for key, value in node.items:
            if not isinstance(key, Scalar) or not key.text:
                self._report(key.span, "a key must be text")
            elif key.plain and key.text == "<<":
                hint = "write the keys out; an alias can stand for a whole value (production: *name)"
                self._report(key.span, 'merge keys ("<<") are not supported', hint)
            elif key.text in values:
                first = self.origin.places[(*path, key.text)].key.line + 1
                hint = f"the first one is on line {first}: keep one of them"
                self._report(key.span, f"the key {quoted(key.text)} appears twice", hint)
            else:
                values[key.text] = self.read(value, (*path, key.text), key.span)
        return values

    def _scalar(self, node: Scalar) -> object:
        if node.plain and node.text in {"", "~", "null", "Null", "NULL"}:
            return Blank.EMPTY
        if not has_reference(node.text):
            return Plain(node.text) if node.plain else node.text

        def report(written: str, message: str, hint: str) -> None:
            column = max(self.origin.source.line(node.span.line).find(written, node.span.column), node.span.column)
            self._report(Span(node.span.line, column, column + len(written)), message, hint)

        # Quotes around a variable only keep YAML from reading its braces: its value counts as unquoted.
        text = expand(node.text, self._environ, report, self.origin.source.redaction.learn)
        return Blank.REPORTED if text is None else Expanded.of(text, node.text)

    def _report(self, span: Span, message: str, hint: str = "") -> None:
        self.problems.append(self.origin.source.problem(span, message, hint))


def without(value: object, origin: Origin, refused: set[KeyPath]) -> tuple[object, Origin]:
    """`value` without the `refused` paths; the new origin has the places under the new list indexes."""
    kept = Origin(origin.source)

    def copy(part: object, old: KeyPath, new: KeyPath) -> object:
        if (place := origin.places.get(old)) is not None:
            kept.places[new] = place
        if isinstance(part, dict):
            return {
                key: copy(item, (*old, key), (*new, key)) for key, item in part.items() if (*old, key) not in refused
            }
        if isinstance(part, list):
            left = [index for index in range(len(part)) if (*old, index) not in refused]
            return [copy(part[index], (*old, index), (*new, count)) for count, index in enumerate(left)]
        return part

    return copy(value, (), ()), kept
