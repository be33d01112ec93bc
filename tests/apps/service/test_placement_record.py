"""A placement is read as it was written; a file that is no placement is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from lb.apps.service.directory import StateFileError
from lb.apps.service.placement_record import (
    DesiredState,
    Placed,
    PlacementRecord,
    Retiring,
    read_placement,
    write_placement,
)


def test_a_placement_is_read_as_it_was_written(tmp_path: Path) -> None:
    # spec: A5
    record = PlacementRecord(
        7,
        DesiredState.SLEEP,
        "20261130-090100",
        3,
        (
            Placed("1a2b3c4d", "web1", "20261130-090100", "unix:/s"),
            Placed("ff", "mailer", "20261130-090100", "", False),
        ),
        (Retiring("5e", "web1", "20261130-080000", 12.5, "boot", True, "d1"),),
        1,
    )
    write_placement(tmp_path / "placement.json", record)
    assert read_placement(tmp_path / "placement.json") == record
    assert read_placement(tmp_path / "none.json") == PlacementRecord()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"generation": "x"}', "\x00"])
def test_what_is_no_state_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "placement.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(StateFileError, match=r"placement\.json"):
        read_placement(path)
