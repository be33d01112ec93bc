"""The book of deploys: unfinished ones stay, ended ones are kept for a while."""

from __future__ import annotations

from pathlib import Path

from lb.apps.service.deploy_state import DeployBook, DeployKind, DeployRecord, DeployState


def test_deploys_that_ended_are_kept_for_a_while(tmp_path: Path) -> None:
    book = DeployBook(tmp_path / "deploy.json")
    for number in range(40):
        book.put(DeployRecord(f"d{number}", DeployKind.DEPLOY, "shop", "production", DeployState.FAILED))
    book.put(DeployRecord("now", DeployKind.DEPLOY, "shop", "production", DeployState.BUILDING))
    again = DeployBook(tmp_path / "deploy.json")
    assert [record.id for record in again.unfinished] == ["now"]
    assert len(list(again)) == 21
