"""The levels of a configuration of nginx: what a block says itself, and what it inherits.

A directive that stands in a block replaces all of its name from further out; some are not inherited at all, and their
readers ask for `own`. Variables that `set` gives a constant value are replaced.
"""

from __future__ import annotations

import re

from lb.importing.nginx.syntax import Directive
from lb.importing.values import braces

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))", re.ASCII)
_PLACEHOLDERS = {
    "host": "{host}",
    "http_host": "{hostport}",
    "remote_addr": "{client}",
    "realip_remote_addr": "{client}",
    "scheme": "{scheme}",
    "request_id": "{request_id}",
    "uri": "{path}",
    "document_uri": "{path}",
    "args": "{query}",
    "query_string": "{query}",
}
_DEEPEST = 20


class Scope:
    """A block and those around it."""

    def __init__(self, directives: tuple[Directive, ...], outer: Scope | None = None) -> None:
        self.directives = directives
        self.outer = outer

    def inner(self, directive: Directive) -> Scope:
        return Scope(directive.block or (), self)

    def own(self, *names: str) -> list[Directive]:
        """The directives of these names that stand in this very block."""
        return [one for one in self.directives if one.name in names]

    def own_one(self, *names: str) -> Directive | None:
        """The last of them."""
        found = self.own(*names)
        return found[-1] if found else None

    def all(self, *names: str) -> list[Directive]:
        """The directives of these names that hold here: those of the nearest block that has one."""
        scope: Scope | None = self
        while scope is not None:
            if found := scope.own(*names):
                return found
            scope = scope.outer
        return []

    def one(self, *names: str) -> Directive | None:
        """The last of them."""
        found = self.all(*names)
        return found[-1] if found else None

    def constant(self, name: str, depth: int = 0) -> str | None:
        """The value that `set` gives a variable, if it is the same for every request."""
        scope: Scope | None = self
        while scope is not None:
            for one in reversed(scope.own("set")):
                if one.first() == f"${name}" and len(one.arguments) == 2:
                    return self.resolved(one.arguments[1], depth + 1)
            scope = scope.outer
        return None

    def resolved(self, text: str, depth: int = 0) -> str | None:
        """The text with constants for variables; None if one is not known before a request comes."""
        if depth > _DEEPEST:
            return None
        pieces: list[str] = []
        at = 0
        for found in _VARIABLE.finditer(text):
            value = self.constant(found[1] or found[2], depth)
            if value is None:
                return None
            pieces += (text[at : found.start()], value)
            at = found.end()
        return "".join(pieces) + text[at:]

    def template(self, text: str, more: dict[str, str] | None = None) -> str | None:
        """The text as a template of lb; None if a variable has no counterpart. `more` are further variables."""
        pieces: list[str] = []
        at = 0
        for found in _VARIABLE.finditer(text):
            name = found[1] or found[2]
            value = (more or {}).get(name) or _PLACEHOLDERS.get(name)
            if value is None:
                constant = self.constant(name)
                if constant is None:
                    return None
                value = braces(constant)
            pieces += (braces(text[at : found.start()]), value)
            at = found.end()
        return "".join(pieces) + braces(text[at:])
