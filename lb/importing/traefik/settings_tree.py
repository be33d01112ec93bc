"""Traefik's settings as one tree, from labels, from arguments of its command, and from its own YAML files.

Keys are in lower case, since labels may have them in any. A list of labels is text with commas.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lb.config.tree import MappingNode, Node, Scalar, Sequence
from lb.importing.source_line import SourceLine

_PART = re.compile(r"((?:\$\{[^}]*\}|[^.\[\]])+)|\[(\d+)\]")
_VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?::?([-?])([^}]*))?\}|\$(\w+)")


@dataclass(slots=True)
class Branch:
    """A setting: its value, or settings below it; `at` is its line."""

    at: SourceLine
    value: str = ""
    below: dict[str, Branch] = field(default_factory=dict)

    def get(self, path: str) -> Branch | None:
        """What stands at a path such as `loadbalancer.server.port`."""
        branch: Branch = self
        for key in path.split("."):
            if key not in branch.below:
                return None
            branch = branch.below[key]
        return branch

    def text(self, path: str) -> str:
        """The value at a path, "" without one."""
        found = self.get(path)
        return found.value if found is not None else ""

    def is_on(self, path: str) -> bool:
        """Whether a switch is there, and not off."""
        found = self.get(path)
        return found is not None and found.value.lower() not in ("false", "0")

    def items(self, path: str) -> list[tuple[str, SourceLine]]:
        """The items of a list, each with its line."""
        found = self.get(path)
        if found is None:
            return []
        inner = [(one.value, one.at) for key, one in found.below.items() if key.isdecimal()]
        return inner or [(part.strip(), found.at) for part in found.value.split(",") if part.strip()]

    def put(self, path: str, value: str, at: SourceLine) -> None:
        """Sets the value at a dotted path."""
        branch = self
        for found in _PART.finditer(path):
            key = (found[1] or found[2]).lower()
            branch = branch.below.setdefault(key, Branch(at))
        branch.value = value

    def leaves(self, path: str = "") -> Iterator[tuple[str, Branch]]:
        """All values below, each with its path."""
        for key, branch in self.below.items():
            here = f"{path}.{key}" if path else key
            if branch.below:
                yield from branch.leaves(here)
            else:
                yield here, branch


def put_label(tree: Branch, text: str, value: str, at: SourceLine) -> None:
    """A label, or an argument of the command without its dashes."""
    tree.put(normal(text).removeprefix("traefik."), normal(value), at)


def put_node(tree: Branch, node: Node, file: str) -> None:
    """The settings of a YAML file."""
    if isinstance(node, MappingNode):
        for key, inner in node.items:
            if isinstance(key, Scalar):
                branch = tree.below.setdefault(key.text.lower(), Branch(SourceLine(file, key.span.line + 1)))
                put_node(branch, inner, file)
    elif isinstance(node, Sequence):
        for index, inner in enumerate(node.items):
            branch = tree.below.setdefault(str(index), Branch(SourceLine(file, inner.span.line + 1)))
            put_node(branch, inner, file)
    elif isinstance(node, Scalar):
        tree.value = node.text


def normal(text: str) -> str:
    """Text of a compose file with its variables as lb has them: ${NAME} and ${NAME:-value}; $$ is a dollar."""

    def variable(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        name = found[1] or found[4]
        return f"${{{name}:-{found[3]}}}" if found[2] == "-" else f"${{{name}}}"

    return _VARIABLE.sub(variable, text)
