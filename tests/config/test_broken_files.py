"""What an operator reads for a broken file: broken/NAME.yaml → broken/NAME.txt, to the letter.

`LB_REWRITE_GOLDEN=1` writes the texts anew; read every difference before it is kept.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from lb.config.load import load_bytes
from lb.config.problems import ConfigErrors, in_order

BROKEN = sorted((Path(__file__).parent / "broken").glob("*.yaml"))
ENVIRON = {"WORKERS": "2", "NAME": "shop"}


def everything_said(file: Path) -> str:
    try:
        problems = load_bytes(file.name, file.read_bytes(), ENVIRON).warnings
    except ConfigErrors as errors:
        problems = in_order((*errors.problems, *errors.warnings))
    return "".join(f"{problem}\n" for problem in problems)


@pytest.mark.parametrize("file", BROKEN, ids=lambda file: file.stem)
def test_what_is_said(file: Path) -> None:
    # spec: R1 D2 D3 D4 T3
    if file.stem.startswith("yaml_") and not yaml.__with_libyaml__:
        pytest.skip("PyYAML's own parser stumbles in other words and at other columns")
    golden = file.with_suffix(".txt")
    said = everything_said(file)
    if os.environ.get("LB_REWRITE_GOLDEN") == "1":
        golden.write_text(said, encoding="utf-8")
    assert said == golden.read_text(encoding="utf-8")


def test_there_are_many() -> None:
    assert len(BROKEN) >= 50
    assert all(file.with_suffix(".txt").stat().st_size for file in BROKEN)
