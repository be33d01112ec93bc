"""Problems of a configuration and their places: the form in which an operator reads every error.

This file knows lines, columns and how to point at them. It must not know YAML, or what the configuration means.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from lb.config.redaction import Redaction

# YAML's line breaks; str.splitlines() knows more of them.
_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_WIDEST = 120  # columns of a line that are shown around the offending text
_LONGEST_VALUE = 60  # characters of a value that are quoted in a message

Level = Literal["error", "warning"]
KeyPath = tuple[str | int, ...]  # ("apps", "shop", "domains", 0)


@dataclass(frozen=True, slots=True)
class Span:
    """Part of one line, counted from 0: `line`, first `column`, and `end`, the column after it."""

    line: int
    column: int
    end: int


@dataclass(frozen=True, slots=True)
class Place:
    """The place of one value: the span of its key (of the value itself in a list) and the span of the value."""

    key: Span
    value: Span


@dataclass(frozen=True, slots=True)
class Problem:
    """One error, or a warning if `level` is "warning". `line` and `column` count from 1 (0: none).

    `snippet` is the offending line of the file and, under it, carets; `hint` says how to fix it. `str()` has it all.
    """

    file: str
    line: int
    column: int
    message: str
    snippet: str = ""
    hint: str = ""
    level: Level = "error"

    def __str__(self) -> str:
        position = f":{self.line}:{self.column}" if self.line else ""
        lines = [f"{self.file}{position}: {self.level}: {self.message}"]
        lines += [f"    {line}" for line in self.snippet.splitlines()]
        if self.hint:
            lines.append(f"    hint: {self.hint}")
        return "\n".join(lines)


class ConfigErrors(Exception):  # noqa: N818  it is many errors
    """An invalid configuration: all errors, and the warnings found on the way."""

    def __init__(self, problems: Iterable[Problem], warnings: Iterable[Problem] = ()) -> None:
        self.problems = in_order(problems)
        self.warnings = in_order(warnings)
        super().__init__("\n".join(map(str, self.problems)))


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems by line and column, each once (an anchor's value is read wherever it is used)."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda problem: (problem.line, problem.column)))


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a configuration: turns a span into a Problem. `numbered` is False if lines have no numbers."""

    name: str
    lines: tuple[str, ...]
    numbered: bool = True
    redaction: Redaction = field(default_factory=Redaction, compare=False)

    @classmethod
    def of(cls, name: str, text: str) -> Source:
        return cls(name, tuple(_LINE_BREAK.split(text)))

    def line(self, number: int) -> str:
        return self.lines[number] if 0 <= number < len(self.lines) else ""

    def span(self, start: tuple[int, int], end: tuple[int, int]) -> Span:
        """The span from `start` to `end` (line, column), cut at the end of the line."""
        line, column = start
        text = self.line(line)
        last = end[1] if end[0] == line else len(text.rstrip())
        return Span(line, column, max(last, column + 1))

    def problem(self, span: Span, message: str, hint: str = "", level: Level = "error") -> Problem:
        line, column = (span.line + 1, span.column + 1) if self.numbered else (0, 0)
        picture = _picture(self.redaction.line(self.lines, span.line), span)
        message, hint = (printable(self.redaction.text(text)) for text in (message, hint))
        return Problem(printable(self.name), line, column, message, picture, hint, level)


@dataclass(frozen=True, slots=True)
class Origin:
    """A source and the place of each value in it: positions for problems found after reading."""

    source: Source
    places: dict[KeyPath, Place] = field(default_factory=dict)

    def place(self, path: KeyPath) -> Place:
        """The place of `path`, or of the nearest enclosing value that is written in the file."""
        path = self._written(path)
        for length in range(len(path), -1, -1):
            if (place := self.places.get(path[:length])) is not None:
                return place
        start = Span(0, 0, 1)
        return Place(start, start)

    def name(self, path: KeyPath) -> str:
        """`path` as people write it, without parts that a short form omits: it may stand for a list or a mapping.

        Empty for command-line options.
        """
        if not self.source.numbered:
            return ""
        path = self._written(path)
        while path and path not in self.places:
            path = path[:-1]
        return dotted(path)

    def _written(self, path: KeyPath) -> KeyPath:
        """`path` without the indexes of lists that are written as a single item."""
        if path in self.places:
            return path
        written: KeyPath = ()
        for part in path:
            if part != 0 or isinstance(part, str) or (*written, part) in self.places:
                written = (*written, part)
        return written

    def where(self, path: KeyPath) -> str:
        """A phrase for the place of `path`: `on line 12`."""
        line = self.place(path).value.line
        return f"on line {line + 1}" if self.source.numbered else f"in {quoted(self.source.line(line))}"

    def problem(self, path: KeyPath, message: str, hint: str = "", level: Level = "error") -> Problem:
        return self.source.problem(self.place(path).value, message, hint, level)

    def key_problem(self, path: KeyPath, message: str, hint: str = "", level: Level = "error") -> Problem:
        """The same with the caret under the key."""
        return self.source.problem(self.place(path).key, message, hint, level)


def quoted(value: object) -> str:
    """`value` in double quotes for a message, cut if long; a variable's value as in the file: `${NAME}`."""
    text = str(getattr(value, "written", value))
    return f'"{text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"}"'


def dotted(path: KeyPath) -> str:
    """`path` as people write it: apps.shop.domains[0]."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def printable(text: str) -> str:
    """`text` without anything unsafe for a terminal: a file may contain escape sequences."""
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character == "\t":
        return "→"
    return character if character.isprintable() else "\N{REPLACEMENT CHARACTER}"


def _picture(text: str, span: Span) -> str:
    """The line and, under it, carets under the span; a long line is cut around it."""
    if not text.strip():
        return ""
    first = max(0, min(span.column - _WIDEST // 2, len(text) - _WIDEST))
    shown = [_visible(character) for character in text[first : first + _WIDEST]]
    if not first:
        while shown[0] == " " and first < span.column:  # the file's indentation is not needed here
            del shown[0]
            first += 1
    start = span.column - first
    length = max(1, min(span.end - first, len(shown)) - start)
    before = sum(_columns(character) for character in shown[:start])
    under = sum(_columns(character) for character in shown[start : start + length])
    return "".join(shown).rstrip() + "\n" + " " * before + "^" * max(1, under)


def _columns(character: str) -> int:
    """How many columns of a terminal one character takes."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
