"""Where a service comes from: started by hand, by systemd, or to succeed another."""

from __future__ import annotations

from pathlib import Path

import pytest

from lb.control.upgrade.boot_context import find_origin, release_admin
from lb.control.upgrade.handover import VARIABLE
from lb.process.start_error import StartError


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_RUNTIME_DIR": str(tmp_path)}


# spec: R2
def test_started_by_hand_there_is_a_place_for_commands(tmp_path: Path, environ: dict[str, str]) -> None:
    file = tmp_path / "lb.yaml"
    file.touch()
    origin = find_origin(file, environ)
    assert origin.meeting is not None
    assert origin.succession is None
    origin.complete()
    origin.give_up()
    again = find_origin(file, environ)  # the place is free again
    assert again.meeting is not None
    again.give_up()


# spec: R2
def test_two_services_of_one_file_are_one_too_many(tmp_path: Path, environ: dict[str, str]) -> None:
    file = tmp_path / "lb.yaml"
    file.touch()
    origin = find_origin(file, environ)
    with pytest.raises(StartError, match="is already served by process"):
        find_origin(file, environ)
    origin.give_up()


def test_without_a_file_there_are_no_commands(environ: dict[str, str]) -> None:
    origin = find_origin(None, environ)
    assert origin.meeting is None
    origin.complete()
    origin.step_back()
    origin.succeed()
    origin.forget()
    origin.give_up()


def test_what_was_said_to_this_process_is_not_for_those_that_it_starts(environ: dict[str, str]) -> None:
    environ[VARIABLE] = "nonsense"
    with pytest.raises(StartError):
        find_origin(None, environ)
    assert VARIABLE not in environ


def test_nobody_is_asked_for_an_address_where_nobody_drains(tmp_path: Path, environ: dict[str, str]) -> None:
    release_admin(None, environ)
    release_admin(tmp_path / "lb.yaml", environ)
