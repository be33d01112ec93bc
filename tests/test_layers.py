"""The layout stays true without anyone remembering it: who may import whom, and which library is named where.

Reads every `.py`, `.pyx`, `.pxd` and `.pxi` as text: imports for type checking and `cimport`s count like all others.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
ROOT = TOP / "lb"

# Lowest first; a layer imports itself and what stands before it.
LAYERS = (
    ("errors",),
    ("http",),
    ("passwords",),
    ("config",),
    ("routing",),
    ("telemetry",),
    ("tls",),
    ("process",),
    ("sockets",),
    ("apps",),
    ("proxy",),
    ("health",),
    ("certificates",),
    ("worker",),
    ("admin",),
    ("control",),
    ("cli",),
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}

# A library that only some places may name.
ONLY_IN = {
    "yaml": ("config/compose.py",),
    "pydantic": ("config/",),
    "pydantic_core": ("config/",),
    "idna": ("config/names.py",),
    "cryptography": ("tls/", "passwords/password_hash.py"),
    "bcrypt": ("passwords/password_hash.py",),
    "uvloop": ("process/loop.py",),
    "aiohttp": (
        "admin/",
        "certificates/process.py",
        "tls/acme/",
        "cli/bench_client.py",
    ),
    "click": ("cli/",),
    "rich": ("cli/",),
    "setproctitle": ("control/", "process/", "worker/apply.py"),
}

# The data path stands on the standard library, itself and the codecs.
BARE = ("http", "routing", "proxy")
CODECS = {"isal", "brotli", "backports", "compression", "cython"}
# The places where routes, instances and rows of the health table are made from a configuration's plan.
FROM_CONFIGURATION = (
    "routing/compile.py",
    "routing/compile_routes.py",
    "routing/registry.py",
    "routing/health_rows.py",
)

# Who gets the whole configuration, each with its reason; all others take the settings, or the part of the plan, that
# they need.
WHOLE_CONFIGURATION = {
    "config/rule_context.py": "rules say what keys mean together, wherever they stand",
    "config/plan.py": "works out what follows from it",
    "config/load.py": "makes it",
    "config/validate.py": "makes it",
    "config/schema.py": "describes its keys",
    "config/explain.py": "explains its keys",
    "cli/demo.py": "loads it for its engine, and again at a reload",
    "cli/demo_engine.py": "passes it to the engine that it forks",
    "cli/demo_service.py": "changes the one that it has loaded",
    "cli/engine.py": "loads it for the engine, and again at a reload",
    "apps/service/app_addresses.py": "names the URLs of an app: its domains and the listeners",
    "apps/service/main.py": "passes it to the engine, and the one that is read at a reload",
    "apps/service/engine_service.py": "follows it: which environments are deployed, and what a reload changes",
    "apps/service/look_commands.py": "answers a reload with what has changed",
    "apps/service/deployed_app.py": "works out which environments of it are deployed",
    "apps/service/app_releases.py": "gives instances what follows from it: their variables, the host of their checks",
}

# Circles that are known, each by its members and with its reason. There is none.
CIRCLES: dict[frozenset[str], str] = {}

LINES = 400
# Files over that, each with its reason; at most five.
LONG: dict[str, str] = {
    "config/model.py": "the configuration's model: a reader wants it whole, and the schema is made of it",
    "control/supervisor.py": "the loop of one process; every step that has an idea of its own stands elsewhere",
    "proxy/io/wire.py": "one state machine for a connection's bytes; its parts would share all of its fields",
    "proxy/io/wire.pyx": "the twin of wire.py",
    "tls/acme/manager.py": "one loop over what is wanted and held; what decides stands in managed and policy",
}

SUFFIXES = (".py", ".pyx", ".pxd", ".pxi")
FILES = sorted(path for path in ROOT.rglob("*") if path.suffix in SUFFIXES and path.stat().st_size)
MODULES = [path for path in FILES if path.suffix == ".py"]

_FROM = re.compile(r"^\s*from\s+([\w.]+)\s+c?import\s+(\([^)]*\)|[^\n]*)", re.MULTILINE)
_IMPORT = re.compile(r"^\s*c?import\s+([\w., ]+)$", re.MULTILINE)
_STRING = re.compile(r'"""[\s\S]*?"""')


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    return ".".join(("lb", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


NAMES = {module_of(path) for path in FILES}


@cache
def imported(path: Path) -> tuple[str, ...]:
    """The modules that a file names, in full; of `from package import module` the module."""
    return tuple(_imported(_STRING.sub("", path.read_text())))


def _imported(text: str) -> Iterator[str]:
    for origin, names in _FROM.findall(text):
        assert not origin.startswith("."), "imports are written in full"
        modules = [f"{origin}.{name.split()[0]}" for name in names.strip("()\n ").split(",") if name.strip()]
        inner = [name for name in modules if name in NAMES]
        yield from inner or [origin]
    for names in _IMPORT.findall(text):
        yield from (name.split()[0] for name in names.split(","))


def layer_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def named(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=place)


@named(FILES)
def test_imports_go_downward(path: Path) -> None:
    layer = layer_of(path)
    own = [name for name in imported(path) if name.startswith("lb.")]
    if layer not in RANK:  # lb/__init__.py and its like: they import the standard library alone
        assert all(name.startswith(("lb._", "lb.cli")) for name in own)
        return
    for name in own:
        other = name.split(".")[1]
        assert other.startswith("_") or RANK[other] <= RANK[layer], f"{layer} imports {name}"


@named(FILES)
def test_imports_are_written_in_full(path: Path) -> None:
    relative = re.search(r"^\s*from\s+\.", _STRING.sub("", path.read_text()), re.MULTILINE)
    assert not relative, f"{place(path)} imports by a relative name"


@named(FILES)
def test_libraries_stay_in_their_places(path: Path) -> None:
    for name in imported(path):
        library = name.split(".")[0]
        if library in ONLY_IN:
            assert place(path).startswith(ONLY_IN[library]), f"{place(path)} names {library}"


@named([path for path in MODULES if layer_of(path) in BARE])
def test_the_data_path_stands_on_little(path: Path) -> None:
    for name in imported(path):
        library = name.split(".")[0]
        assert library in sys.stdlib_module_names or library == "lb" or library in CODECS, f"{place(path)}: {name}"
        if name.startswith("lb.config"):
            assert place(path) in FROM_CONFIGURATION, f"{place(path)} imports {name}"


def test_who_gets_the_whole_configuration() -> None:
    names = re.compile(r"^from lb\.config\.model import [^\n]*\bConfig\b", re.MULTILINE)
    assert {place(path) for path in MODULES if names.search(path.read_text())} == set(WHOLE_CONFIGURATION)


def test_every_layer_is_known() -> None:
    assert {path.name for path in ROOT.iterdir() if path.is_dir() and path.name != "__pycache__"} <= set(RANK)


def circles() -> list[frozenset[str]]:
    """The strongly connected parts of the graph of imports (Tarjan)."""
    edges: dict[str, set[str]] = {name: set() for name in NAMES}
    for path in FILES:
        own = module_of(path)
        edges[own] |= {name for name in imported(path) if name in NAMES and name != own}
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[frozenset[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(edges[name]):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            at = stack.index(name)
            part = frozenset(stack[at:])
            del stack[at:]
            if len(part) > 1:
                found.append(part)

    for name in sorted(edges):
        if name not in index:
            visit(name)
    return found


def test_no_circles_but_the_known_ones() -> None:
    assert set(circles()) == set(CIRCLES)


def test_files_are_short() -> None:
    long = {place(path) for path in FILES if len(path.read_text().splitlines()) > LINES}
    assert long == set(LONG)
    assert len(LONG) <= 5


def test_names_are_not_used_twice() -> None:
    seen: dict[str, str] = {}
    for path in MODULES:
        for name in re.findall(r"^class (\w+)", path.read_text(), re.MULTILINE):
            if not name.startswith("_"):
                assert name not in seen, f"{name} stands in {seen[name]} and in {place(path)}"
                seen[name] = place(path)
