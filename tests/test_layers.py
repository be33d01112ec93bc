"""The layout stays true without anyone remembering it: who may import whom, and which library is named where.

Reads the `ast` of every module; imports for type checking count like all others.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "lb"

# Lowest first; a layer imports itself and what stands before it.
LAYERS = (
    ("http", "errors"),
    ("config",),
    ("routing",),
    ("telemetry",),
    ("proxy",),
    ("tls",),
    ("worker",),
    ("control",),
    ("cli",),
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}

# A library that only some places may name.
ONLY_IN = {
    "yaml": ("config/tree.py", "config/syntax.py", "config/load.py"),
    "pydantic": ("config/",),
    "pydantic_core": ("config/",),
    "idna": ("config/names.py",),
    "cryptography": ("tls/",),
    "uvloop": ("worker/loop.py",),
    "aiohttp": (
        "control/admin.py",
        "control/admin_hosts.py",
        "control/certificates.py",
        "tls/acme/client.py",
        "tls/acme/demand.py",
        "tls/acme/session.py",
        "cli/demo_app.py",
        "cli/bench_client.py",
    ),
    "click": ("cli/",),
    "rich": ("cli/",),
    "setproctitle": ("control/", "worker/change.py"),
}

# The data path stands on the standard library, itself and the codecs.
BARE = ("http", "routing", "proxy")
CODECS = {"isal", "brotli", "backports", "compression"}
# The places where routes and instances are made from a configuration.
FROM_CONFIGURATION = ("routing/compile.py", "routing/registry.py", "routing/watched.py")

MODULES = sorted(path for path in ROOT.rglob("*.py") if path.name != "__init__.py" or path.stat().st_size)


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            yield node.module or ""


def layer_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_downward(path: Path) -> None:
    layer = layer_of(path)
    if layer not in RANK:  # lb/__init__.py and its like: they import the standard library alone
        own = [name for name in imported(path) if name.startswith("lb.")]
        assert all(name.startswith(("lb._", "lb.cli")) for name in own)
        return
    for name in imported(path):
        if name.startswith("lb."):
            other = name.split(".")[1]
            assert other.startswith("_") or RANK[other] <= RANK[layer], f"{layer} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_libraries_stay_in_their_places(path: Path) -> None:
    place = str(path.relative_to(ROOT))
    for name in imported(path):
        library = name.split(".")[0]
        if library in ONLY_IN:
            assert place.startswith(ONLY_IN[library]), f"{place} names {library}"


@pytest.mark.parametrize("path", [path for path in MODULES if layer_of(path) in BARE], ids=lambda path: path.stem)
def test_the_data_path_stands_on_little(path: Path) -> None:
    place = str(path.relative_to(ROOT))
    for name in imported(path):
        library = name.split(".")[0]
        assert library in sys.stdlib_module_names or library == "lb" or library in CODECS, f"{place} imports {name}"
        if name.startswith("lb.config"):
            assert place in FROM_CONFIGURATION, f"{place} imports {name}"


def test_every_layer_is_known() -> None:
    assert {path.name for path in ROOT.iterdir() if path.is_dir() and path.name != "__pycache__"} <= set(RANK)
