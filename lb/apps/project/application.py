"""What `application` is in a module of the project: its source is parsed and never run.

Only what can be told for certain is told: a name that comes out of code nobody can follow is UNKNOWN, not an error.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lb.apps.project.errors import ProjectError
from lb.apps.project.text import read_bytes

_MOST_STEPS = 8  # from import to import
_ASGI = {
    "FastAPI": "FastAPI",
    "Starlette": "Starlette",
    "Quart": "Quart",
    "Litestar": "Litestar",
    "Sanic": "Sanic",
    "BlackSheep": "BlackSheep",
    "ProtocolTypeRouter": "Channels",
    "get_asgi_application": "Django (ASGI)",
    "get_default_application": "Django (ASGI)",
    "WsgiToAsgi": "wrapped (ASGI)",
    "WSGIMiddleware": "",  # of either kind
}
_WSGI = {
    "Flask": "Flask",
    "Bottle": "Bottle",
    "get_wsgi_application": "Django (WSGI)",
    "DjangoWhiteNoise": "Django (WSGI)",
    "WSGIContainer": "Tornado (WSGI)",
    "make_wsgi_app": "Pyramid (WSGI)",
    "ASGIMiddleware": "wrapped (WSGI)",
    "AsgiToWsgi": "wrapped (WSGI)",
}


class AppKind(StrEnum):
    """How an app is called."""

    WSGI = "WSGI"
    ASGI = "ASGI"
    UNKNOWN = ""
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class FoundApp:
    """What a name in a module is; `framework` is "" where it is not a known one."""

    kind: AppKind
    framework: str = ""


def find_app(root: Path, module: str, name: str = "application") -> FoundApp:
    """What `name` is in the module of the project at `root`. Raises ProjectError where the module is no Python."""
    return _find(root, module, name, _MOST_STEPS)


def candidates(root: Path, module: str) -> list[tuple[str, FoundApp]]:
    """The global names of a module that are apps for certain. Nothing where it is no Python."""
    try:
        tree = _parse(root, module)
    except ProjectError:
        return []
    names = dict.fromkeys(name for statement in _statements(tree.body) for name in _bound(statement)) if tree else {}
    found = [(name, find_app(root, module, name)) for name in names if name not in _ASGI and name not in _WSGI]
    return [(name, app) for name, app in found if app.framework]


def settings_module(root: Path) -> str | None:
    """`mysite.settings`, as manage.py of a Django project names it."""
    try:
        tree = _parse(root, "manage")
    except ProjectError:
        return None
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Call) and len(node.args) == 2:
            key, value = (argument.value if isinstance(argument, ast.Constant) else None for argument in node.args)
            if key == "DJANGO_SETTINGS_MODULE" and isinstance(value, str):
                return value
    return None


def _find(root: Path, module: str, name: str, steps: int) -> FoundApp:
    tree = _parse(root, module)
    if tree is None:
        return FoundApp(AppKind.UNKNOWN)
    value: ast.AST | None = None
    for statement in _statements(tree.body):
        if isinstance(statement, ast.ImportFrom) and any(alias.name == "*" for alias in statement.names):
            value = value or statement
        elif name in _bound(statement):
            value = statement
    if value is None:
        dynamic = any(isinstance(node, ast.Name) and node.id in {"globals", "exec", "vars"} for node in ast.walk(tree))
        declared = any(isinstance(node, ast.Global) and name in node.names for node in ast.walk(tree))
        return FoundApp(AppKind.UNKNOWN if dynamic or declared else AppKind.MISSING)
    return _judge(root, module, value, name, steps - 1) if steps > 0 else FoundApp(AppKind.UNKNOWN)


def _judge(root: Path, module: str, statement: ast.AST, name: str, steps: int) -> FoundApp:
    match statement:
        case ast.ImportFrom():
            return _imported(root, module, statement, name, steps)
        case ast.AsyncFunctionDef():
            return FoundApp(AppKind.ASGI if len(statement.args.args) == 3 else AppKind.UNKNOWN)
        case ast.FunctionDef():
            return FoundApp(
                AppKind.WSGI if len(statement.args.args) == 2 and not statement.decorator_list else AppKind.UNKNOWN
            )
        case ast.ClassDef():
            calls = [
                part for part in statement.body if isinstance(part, ast.AsyncFunctionDef) and part.name == "__call__"
            ]
            return FoundApp(AppKind.ASGI if calls else AppKind.UNKNOWN)
        case ast.Assign(value=value) | ast.AnnAssign(value=value):
            return _value(root, module, value, steps)
    return FoundApp(AppKind.UNKNOWN)


def _value(root: Path, module: str, value: ast.expr | None, steps: int) -> FoundApp:
    if isinstance(value, ast.Name):
        return _find(root, module, value.id, steps)
    if not isinstance(value, ast.Call):
        return FoundApp(AppKind.UNKNOWN)
    called = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
    if _ASGI.get(called):
        return FoundApp(AppKind.ASGI, _ASGI[called])
    if called in _WSGI:
        return FoundApp(AppKind.WSGI, _WSGI[called])
    return FoundApp(AppKind.UNKNOWN)


def _imported(root: Path, module: str, statement: ast.ImportFrom, name: str, steps: int) -> FoundApp:
    """What a name is where it comes from, if that is a module of the project."""
    original = next((alias.name for alias in statement.names if (alias.asname or alias.name) == name), None)
    package = module.split(".")[: -statement.level] if statement.level else []
    origin = ".".join([*package, *(statement.module or "").split(".")]).strip(".")
    if original is None or not origin:
        return FoundApp(AppKind.UNKNOWN)
    try:
        found = _find(root, origin, original, steps)
    except ProjectError:
        return FoundApp(AppKind.UNKNOWN)
    return FoundApp(AppKind.UNKNOWN) if found.kind is AppKind.MISSING else found


def _parse(root: Path, module: str) -> ast.Module | None:
    """The module's source as a tree; None where the project has no such file."""
    path = module.replace(".", "/")
    for name in (f"{path}.py", f"{path}/__init__.py"):
        data = read_bytes(root, name) if (root / name).is_file() else None
        if data is None:
            continue
        try:
            return ast.parse(data, filename=name)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None  # perhaps of another Python: the app itself says what is wrong, when it starts
    return None


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Every statement that runs when the module is imported, in order; not those of functions and classes."""
    for statement in body:
        yield statement
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        for field in ("body", "orelse", "finalbody"):
            yield from _statements(getattr(statement, field, []))
        for handler in getattr(statement, "handlers", []):
            yield from _statements(handler.body)
        for case in getattr(statement, "cases", []):
            yield from _statements(case.body)


def _bound(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement gives a value to."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield statement.name
        case ast.Import() | ast.ImportFrom():
            yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
        case ast.Assign(targets=targets):
            yield from (node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name))
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target) | ast.For(target=target):
            yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))
        case ast.With(items=items) | ast.AsyncWith(items=items):
            named = (item.optional_vars for item in items if item.optional_vars is not None)
            yield from (node.id for target in named for node in ast.walk(target) if isinstance(node, ast.Name))
