"""From a path to the numbers of the patterns that match it, in order: a tree of segments.

A look-up costs a dictionary look-up a segment, however many patterns there are. This file knows patterns by number;
which of them is taken, and what it leads to, is for its caller to know.
"""

from __future__ import annotations

from collections.abc import Sequence

from lb.http.path_pattern import PathPattern, PatternEnding

_NONE: tuple[int, ...] = ()


class _Node:
    """The patterns that end here, and the segments that go on from here; `any` is for every segment that is not
    empty: a parameter.
    """

    __slots__ = ("any", "below", "exact", "prefix", "rest")

    def __init__(self) -> None:
        self.below: dict[bytes, _Node] = {}
        self.any: _Node | None = None
        self.exact = self.prefix = self.rest = _NONE

    def under(self, segment: bytes | None) -> _Node:
        if segment is not None:
            return self.below.setdefault(segment, _Node())
        if self.any is None:
            self.any = _Node()
        return self.any

    def add(self, number: int, ending: PatternEnding) -> None:
        match ending:
            case PatternEnding.EXACT:
                self.exact += (number,)
            case PatternEnding.PREFIX:
                self.prefix += (number,)
            case PatternEnding.REST:
                self.rest += (number,)


class PathTree:
    """Patterns, each known by its place in the sequence that they came in."""

    __slots__ = ("_root",)

    def __init__(self, patterns: Sequence[PathPattern]) -> None:
        self._root = _Node()
        for number, pattern in enumerate(patterns):
            node = self._root
            for segment in pattern.segments:
                node = node.under(segment)
            node.add(number, pattern.ending)

    def find(self, path: bytes) -> list[int]:
        """The numbers of the patterns that match a path, in ascending order."""
        found: list[int] = []
        _collect(self._root, path.split(b"/"), 1, found)
        if len(found) > 1:
            found.sort()
        return found


def _collect(node: _Node, segments: list[bytes], at: int, found: list[int]) -> None:
    while True:
        if node.prefix:
            found += node.prefix
        if at == len(segments):
            if node.exact:
                found += node.exact
            return
        if node.rest:
            found += node.rest
        segment = segments[at]
        at += 1
        if node.any is not None and segment:
            _collect(node.any, segments, at, found)
        below = node.below.get(segment)
        if below is None:
            return
        node = below
