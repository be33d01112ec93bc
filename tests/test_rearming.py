"""No function arms its own timer but in one place: one that does so at its end is not called again after one exception.

Reads the `ast` of every module, the uncompiled sources of compiled ones included.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "lb"
HELPER = "process/every.py"
TIMERS = ("call_later", "call_at")
MODULES = sorted(path for path in ROOT.rglob("*.py") if str(path.relative_to(ROOT)) != HELPER)

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(node: ast.AST) -> str:
    """What a callback or a called function is known by in its module: the last part of its name, "" for others."""
    if isinstance(node, ast.Call) and name_of(node.func) == "partial" and node.args:
        return name_of(node.args[0])
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def leads_to(function: ast.AST) -> Iterator[str]:
    """The functions that this one calls, or has called later."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            yield name_of(node.func)
            if name_of(node.func) in TIMERS:
                for argument in node.args[1:]:
                    yield from leads_to(argument.body) if isinstance(argument, ast.Lambda) else [name_of(argument)]


def rearming(source: str) -> set[str]:
    """The functions that have a timer lead back to them, directly or over others of their module."""
    functions = {node.name: node for node in ast.walk(ast.parse(source)) if isinstance(node, _Function)}
    edges = {name: {other for other in leads_to(node) if other in functions} for name, node in functions.items()}
    arming = {
        name
        for name, node in functions.items()
        if any(isinstance(call, ast.Call) and name_of(call.func) in TIMERS for call in ast.walk(node))
    }
    found = set()
    for name in arming:
        reached, new = set(edges[name]), set(edges[name])
        while new:
            new = {other for one in new for other in edges[one]} - reached
            reached |= new
        if name in reached:
            found.add(name)
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_arms_itself(path: Path) -> None:
    assert rearming(path.read_text()) == set(), "use lb.process.every"


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.pyx")), ids=lambda path: str(path.relative_to(ROOT)))
def test_compiled_twins_use_no_timer(path: Path) -> None:
    assert not any(timer in path.read_text() for timer in TIMERS)


@pytest.mark.parametrize(
    "body",
    [
        "loop.call_later(1, self.tick)",
        "loop.call_later(1, lambda: self.tick())",
        "self.handle = self.loop.call_at(when, partial(self.tick, 1))",
        "loop.call_later(1, self.other)",
        "self.other()",
    ],
)
def test_it_is_found_in_every_form(body: str) -> None:
    other = "loop.call_later(1, self.tick)" if body == "self.other()" else "self.tick()"
    source = f"class A:\n    def tick(self):\n        {body}\n    def other(self):\n        {other}\n"
    assert rearming(source)


def test_a_timer_that_leads_elsewhere_is_not() -> None:
    assert rearming("def a():\n    loop.call_later(1, b)\ndef b():\n    c()\ndef c():\n    pass\n") == set()
