"""Patterns and conditions, of which a request takes the first that matches.

A path is compared as it was sent. Where it may be read in other ways, too, `others` tells what it would have taken
then: what guards those holds for it all the same, so that no spelling gets round a guard (P3). Choices are known by
their numbers; where they lead is for a route to know.
"""

from __future__ import annotations

from collections.abc import Sequence

from lb.http.head import RequestHead
from lb.http.path_pattern import PathPattern, readings
from lb.routing.condition import RequestCondition
from lb.routing.path_tree import PathTree

NONE = -1
_REMEMBERED = 4096
_LONGEST = 128  # bytes of a path that is remembered


class Choices:
    """Patterns and conditions (None: any request), side by side and in order."""

    __slots__ = ("_conditions", "_seen", "_tree")

    def __init__(self, patterns: Sequence[PathPattern], conditions: Sequence[RequestCondition | None]) -> None:
        self._tree = PathTree(patterns)
        self._conditions = tuple(conditions)
        self._seen: dict[bytes, int] = {}  # paths that decide alone: the usual one costs a look-up, not a walk

    def pick(self, head: RequestHead) -> int:
        """The number of the first that matches, or NONE."""
        path = head.target
        number = self._seen.get(path)
        if number is not None:
            return number
        query = path.find(b"?")
        if query >= 0:
            path = path[:query]
            number = self._seen.get(path)
            if number is not None:
                return number
        return self._at(path, head)

    def others(self, head: RequestHead) -> tuple[int, ...]:
        """Those that the request would take if its path were read in another way; all of them for a path that cannot
        be looked through.
        """
        paths = readings(head.target.partition(b"?")[0])
        if paths is None:
            return tuple(range(len(self._conditions)))
        return tuple(sorted({self._at(path, head) for path in paths} - {NONE}))

    def _at(self, path: bytes, head: RequestHead) -> int:
        decides = True
        found = NONE
        for number in self._tree.find(path):
            condition = self._conditions[number]
            if condition is None or condition.holds(head):
                found = number
                decides = decides and condition is None
                break
            decides = False
        if decides and len(self._seen) < _REMEMBERED and len(path) <= _LONGEST:
            self._seen[path] = found
        return found
