"""`tests/` mirrors `lb/`: whoever changes a module finds its tests by the module's name, and so does `make near`."""

from __future__ import annotations

from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
ROOT = TOP / "lb"

# Modules without a test file of their own, each with its reason. Nothing that decides anything belongs here.
WITHOUT: dict[str, str] = {
    "__main__.py": "calls the command line, which tests/cli starts as it does",
    "config/base.py": "a base class without a line of its own; test_model looks at what it sets",
    "process/start_error.py": "the name of one exception",
    "proxy/downstream.py": "a base type: every dialogue is about what derives from it",
    "proxy/handler.py": "a base type: test_states walks every event of it",
    "routing/compression.py": "a record of what test_compile compiles",
    "routing/route_extras.py": "a record of what test_compile_routes compiles",
    "routing/route.py": "a record of what test_compile compiles",
}

MODULES = sorted(
    path.relative_to(ROOT)
    for path in ROOT.rglob("*")
    if path.suffix in (".py", ".pyx") and path.name != "__init__.py" and path.with_suffix(".py").exists()
)


def files_of(module: Path) -> list[Path]:
    """`test_NAME.py` in the same place, or `test_NAME_TOPIC.py`."""
    folder = TOP / "tests" / module.parent
    name = module.stem.strip("_")
    return [*folder.glob(f"test_{name}.py"), *folder.glob(f"test_{name}_*.py")]


@pytest.mark.parametrize("module", [module for module in MODULES if module.suffix == ".py"], ids=str)
def test_each_module_has_a_test_file_of_its_name(module: Path) -> None:
    if module.as_posix() in WITHOUT:
        assert not files_of(module), "it has one: take it out of the table"
    else:
        assert files_of(module), f"write tests/{module.parent}/test_{module.stem.strip('_')}.py"


def test_the_table_is_small_and_names_what_is_there() -> None:
    assert all((ROOT / name).exists() for name in WITHOUT)
    assert all(WITHOUT.values())
    assert len(WITHOUT) <= 10
