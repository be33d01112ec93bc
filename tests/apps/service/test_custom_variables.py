"""An app's own variables: each environment's, all or none, never the platform's."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lb.apps.service.custom_variables import CustomVariables, VariableError


def test_variables_are_each_environments_own(tmp_path: Path) -> None:
    # spec: A3
    variables = CustomVariables(tmp_path / "env.json")
    odd = {"A": "x=y\nz ü", "B_2": ""}
    variables.set("production", odd)
    variables.set("staging", {"A": "other"}, secret=True)
    again = CustomVariables(tmp_path / "env.json")
    assert again.values("production") == odd
    assert again.of("staging")["A"].secret
    again.set("staging", {"A": "changed-value"})
    assert again.of("staging")["A"].secret, "a secret one stays so"
    assert "changed-value" in again.masked()
    assert stat.S_IMODE((tmp_path / "env.json").stat().st_mode) == 0o600
    again.unset("production", ["A"])
    assert again.values("production") == {"B_2": ""}
    with pytest.raises(VariableError, match="A is not set in production"):
        again.unset("production", ["A"])


@pytest.mark.parametrize("name", ["LEANCLOUD_APP_ID", "LC_APP_KEY", "PORT", "HOME", "1A", "A-B", "", "A B"])
def test_variables_of_the_platform_and_impossible_names_are_refused(tmp_path: Path, name: str) -> None:
    # spec: A3
    variables = CustomVariables(tmp_path / "env.json")
    with pytest.raises(VariableError):
        variables.set("production", {"FINE": "1", name: "x"})
    assert variables.values("production") == {}, "all of them are set, or none"
