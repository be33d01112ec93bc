"""`lb upgrade`: how its outcome is told (upgrades themselves are in `tests/e2e/test_upgrade`)."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from lb.cli import upgrade as module
from lb.cli.upgrade import upgrade


def said(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]) -> tuple[int, str, str]:
    asked: list[tuple[object, ...]] = []

    def ask(*question: object) -> dict[str, Any]:
        asked.append(question)
        return answer

    monkeypatch.setattr(module, "ask", ask)
    result = CliRunner().invoke(upgrade, ["lb.yaml"])
    assert asked[0][1] == "upgrade"
    return result.exit_code, result.stdout, result.stderr


# spec: R3
def test_a_success_names_both_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = said(monkeypatch, {"ok": True, "successor": 2, "predecessor": 1})
    assert (code, err) == (0, "")
    assert out == "process 2 serves now; process 1 finishes its requests\n"


# spec: R3
@pytest.mark.parametrize(("status", "code"), [(78, 78), (1, 1), (None, 1)])
def test_a_failure_says_that_the_service_goes_on(
    monkeypatch: pytest.MonkeyPatch, status: int | None, code: int
) -> None:
    found, out, err = said(monkeypatch, {"ok": False, "error": "it ended", "status": status})
    assert (found, out) == (code, "")
    assert err == "lb: the upgrade failed, and the service continues as before: it ended\n"
