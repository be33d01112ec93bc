"""The routes of a domain, of which a request takes the first that matches.

A path is compared as it was sent. Where it may be read in other ways, too, `guarding` tells which routes it would have
taken then: what guards those holds for it all the same, so that no spelling gets round a guard (P3).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from lb.http.head import RequestHead
from lb.http.path_pattern import PathPattern, readings
from lb.routing.condition import RequestCondition
from lb.routing.path_tree import PathTree

_Route = TypeVar("_Route")


class Choices(Generic[_Route]):
    """Patterns, conditions (None: any request) and routes, side by side and in order."""

    __slots__ = ("_conditions", "_routes", "_tree")

    def __init__(
        self, patterns: Sequence[PathPattern], conditions: Sequence[RequestCondition | None], routes: Sequence[_Route]
    ) -> None:
        self._tree = PathTree(patterns)
        self._conditions = tuple(conditions)
        self._routes = tuple(routes)

    def pick(self, head: RequestHead) -> _Route | None:
        """The first route that matches; None: the domain's own."""
        return self._at(head.target.partition(b"?")[0], head)

    def guarding(self, head: RequestHead) -> tuple[_Route, ...]:
        """Every route that the request would take if its path were read in another way; all of them where the path
        cannot be looked through.
        """
        others = readings(head.target.partition(b"?")[0])
        if others is None:
            return self._routes
        found = (self._at(path, head) for path in others)
        return tuple(dict.fromkeys(route for route in found if route is not None))

    def _at(self, path: bytes, head: RequestHead) -> _Route | None:
        for number in self._tree.find(path):
            condition = self._conditions[number]
            if condition is None or condition.holds(head):
                return self._routes[number]
        return None
