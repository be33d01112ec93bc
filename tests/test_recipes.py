"""Each configuration in docs/recipes/ is one that `lb check` accepts without a word; the page of recipes names it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from lb.cli.main import main

ROOT = Path(__file__).parent.parent
RECIPES = sorted((ROOT / "docs" / "recipes").glob("*.yaml"))


def values_of(node: Any, key: str) -> Iterator[Any]:
    """The values of a key, wherever it stands."""
    if isinstance(node, dict):
        for name, inner in node.items():
            if name == key:
                yield inner
            yield from values_of(inner, key)
    elif isinstance(node, list):
        for inner in node:
            yield from values_of(inner, key)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_lb_check_accepts_it(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # spec: R1
    monkeypatch.chdir(tmp_path)
    text = recipe.read_text(encoding="utf-8")
    settings = yaml.safe_load(text)
    for directory in values_of(settings, "files"):
        Path(directory).mkdir(parents=True, exist_ok=True)
    for pages in values_of(settings, "errors"):
        for page in pages.values():
            Path(page).parent.mkdir(parents=True, exist_ok=True)
            Path(page).touch()
    Path("lb.yaml").write_text(text, encoding="utf-8")
    done = CliRunner().invoke(main, ["check", "lb.yaml"])
    assert done.exit_code == 0, done.output
    assert "error:" not in done.stderr
    assert "warning:" not in done.stderr, done.stderr


def test_there_is_one_for_each_deployment_and_the_page_names_it() -> None:
    page = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    assert len(RECIPES) == 15
    assert all(f"`docs/recipes/{recipe.name}`" in page for recipe in RECIPES)
