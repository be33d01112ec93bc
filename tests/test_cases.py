"""The table of hard cases in CLAUSES.md names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROW = re.compile(r"^\| (\d+) [^|]+ \| (.+) \|$", re.MULTILINE)
ROWS = ROW.findall((HERE / "CLAUSES.md").read_text(encoding="utf-8"))


def test_there_are_twenty_five() -> None:
    assert [int(number) for number, _ in ROWS] == list(range(1, 26))


@pytest.mark.parametrize(("number", "proofs"), ROWS)
def test_the_tests_of_a_case_exist(number: str, proofs: str) -> None:
    for proof in proofs.split("; "):
        file, _, names = proof.partition(": ")
        text = (HERE / file.strip("`")).read_text(encoding="utf-8")
        for name in names.split(", "):
            assert re.search(rf"^(async )?def {name.strip('`')}\(", text, re.MULTILINE), (number, file, name)
