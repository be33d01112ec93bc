"""Regular expressions of paths → paths of routes, where a path can say the same.

What can be said: literal segments, one of several literals, one whole segment (`[^/]+`), and the rest (`.*`) at its
end. Everything else has no counterpart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_MOST = 64  # paths of one expression
_SEGMENT_CLASS = re.compile(r"(\[(?:\\.|[^\]\\])+\]|\\[wd])(\+|\*|\{\d+(?:,\d*)?\})?((?:\\[dw]|\[[^\]]+\])[*+])?")
_ANY_SEGMENT = frozenset(("[^/]", "[^\\/]"))
_REST = re.compile(r"\.[*+]\??")
_PARAMETER = re.compile(r"\{\w+\}")
_LITERAL = re.compile(r"\\([^A-Za-z0-9])|([^\\^$.|?*+()\[\]{}])")


@dataclass(frozen=True, slots=True)
class RegularPath:
    """One path: `broader` says that it matches more than the expression, `narrower` that it matches less; `captures`
    are placeholders by group.
    """

    path: str
    broader: bool = False
    narrower: bool = False
    captures: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Words:
    """What was read so far: `text` with {p1} for segments; `end` is "$", "rest" or ""."""

    text: str = ""
    end: str = ""
    broader: bool = False
    segments: int = 0
    groups: tuple[tuple[str, str], ...] = ()


class _CannotError(Exception):
    pass


def regular_paths(expression: str) -> list[RegularPath] | None:
    """The paths of an expression; None if there are none that say the same."""
    if not expression.startswith("^"):
        return None
    try:
        reader = _Reader(expression[1:])
        paths = [_path(words) for words in reader.alternatives([_Words()])]
        if reader.rest():
            return None
    except _CannotError:
        return None
    return _distinct(paths)


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._group = 0

    def rest(self) -> str:
        return self._text[self._at :]

    def alternatives(self, before: list[_Words]) -> list[_Words]:
        found = self._sequence(before)
        while self.rest().startswith("|"):
            self._at += 1
            found += self._sequence(before)
        if len(found) > _MOST:
            raise _CannotError
        return found

    def _sequence(self, before: list[_Words]) -> list[_Words]:
        words = before
        while self.rest() and self.rest()[0] not in "|)":
            start = words
            words = self._item(words)
            if self.rest().startswith("?"):  # what stands before it may be missing
                self._at += 1
                words = [*start, *words]
            if len(words) > _MOST:
                raise _CannotError
        return words

    def _item(self, words: list[_Words]) -> list[_Words]:
        rest = self.rest()
        if any(one.end for one in words) and rest[0] != "$":
            raise _CannotError  # nothing follows what takes all that remains
        if rest[0] == "(":
            return self._parentheses(words)
        if rest[0] == "$":
            self._at += 1
            return [_with(one, end=one.end or "$") for one in words]
        if (found := _REST.match(rest)) is not None:
            self._at += found.end()
            return [_with(one, end="rest") for one in words]
        if (found := _SEGMENT_CLASS.match(rest)) is not None:
            self._at += found.end()
            exact = found[1] in _ANY_SEGMENT and found[2] == "+" and not found[3]
            if not exact and found[2] is None and found[3] is None:
                raise _CannotError  # a single character
            return [self._segment(one, exact) for one in words]
        if (found := _LITERAL.match(rest)) is not None and not rest[found.end() :].startswith(("*", "+", "{")):
            self._at += found.end()
            return [_with(one, text=one.text + (found[1] or found[2])) for one in words]
        raise _CannotError

    @staticmethod
    def _segment(words: _Words, exact: bool) -> _Words:
        if not words.text.endswith("/"):
            raise _CannotError
        number = words.segments + 1
        return _with(words, text=f"{words.text}{{p{number}}}", segments=number, broader=words.broader or not exact)

    def _parentheses(self, words: list[_Words]) -> list[_Words]:
        named = re.match(r"\((\?:|\?P?<(\w+)>)?", self.rest())
        assert named is not None  # noqa: S101  it begins with one
        self._at += named.end()
        if self.rest().startswith("?"):
            raise _CannotError  # it looks ahead, or switches something
        names: list[str] = []
        if named[1] != "?:":
            self._group += 1
            names = [str(self._group), *([named[2]] if named[2] else [])]
        start = self._at
        found: list[_Words] = []
        for one in words:
            self._at = start
            for inner in self.alternatives([one]):
                captured = tuple((name, _capture(one, inner)) for name in names)
                found += [_with(inner, groups=(*inner.groups, *captured))]
        if not self.rest().startswith(")"):
            raise _CannotError
        self._at += 1
        return found


def _with(words: _Words, **changed: object) -> _Words:
    values = {name: getattr(words, name) for name in _Words.__slots__} | changed
    return _Words(**values)


def _capture(before: _Words, after: _Words) -> str:
    """What a group stands for, as a placeholder or as text."""
    text = after.text[len(before.text) :]
    if after.end == "rest":
        return text + ("{rest}" if after.text.endswith("/") else "/{rest}")
    return text


def _path(words: _Words) -> RegularPath:
    text = words.text
    if not text and words.end in ("rest", ""):
        text = "/"
    if not text.startswith("/") or any("{" in part and not _PARAMETER.fullmatch(part) for part in text.split("/")):
        raise _CannotError
    broader, narrower = words.broader, False
    if words.end == "$":
        broader = broader or text.endswith("/")  # a path of lb that ends in a slash is a prefix
    elif not text.endswith("/"):
        text += "/"
        narrower = True
    return RegularPath(text, broader, narrower, dict(words.groups))


def _distinct(paths: list[RegularPath]) -> list[RegularPath]:
    """The paths without those that another one includes: a prefix covers itself without its slash."""
    by_path: dict[str, RegularPath] = {}
    for one in paths:
        by_path.setdefault(one.path, one)
        if not (one.broader or one.narrower):
            by_path[one.path] = one
    return [one for one in by_path.values() if f"{one.path}/" not in by_path]
