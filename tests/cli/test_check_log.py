"""Whether the access log that a configuration names can be written, found out without making it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lb.cli.check_log import check_access_log
from lb.config.load import Loaded, load_bytes
from lb.config.problems import Problem


def loaded(log: str) -> Loaded:
    text = (
        "listen: {http: 127.0.0.1:0}\n"
        "apps: {a: {domains: [a.example], production: {instances: [127.0.0.1:1]}}}\n"
        f"access_log: {log}\n"
    )
    return load_bytes("lb.yaml", text.encode(), {})


def only(log: str) -> Problem:
    (problem,) = check_access_log(loaded(log))
    return problem


def test_a_file_that_can_be_made_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    assert check_access_log(loaded(f"{{path: {path}}}")) == []
    assert not path.exists()
    path.touch()
    assert check_access_log(loaded(f"{{path: {path}}}")) == []


@pytest.mark.parametrize("log", ["off", "combined", '{path: "-"}'])
def test_where_there_is_no_file_there_is_nothing_to_check(log: str) -> None:
    assert check_access_log(loaded(log)) == []


def test_a_directory_that_is_missing(tmp_path: Path) -> None:
    # spec: E3
    problem = only(f"{{path: {tmp_path}/no/access.log}}")
    assert "does not exist" in problem.message
    assert problem.hint == f"create it: mkdir -p {tmp_path}/no"
    assert (problem.line, problem.level) == (3, "error")


def test_a_directory_in_the_place_of_the_file_or_a_file_in_that_of_the_directory(tmp_path: Path) -> None:
    assert "is a directory" in only(f"{{path: {tmp_path}}}").message
    (tmp_path / "file").touch()
    assert "is not a directory" in only(f"{{path: {tmp_path}/file/access.log}}").message


def test_a_relative_path_says_where_it_was_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert only("{path: no/access.log}").hint.endswith(str(tmp_path))


def test_what_only_this_user_may_not_do_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    problem = only(f"{{path: {tmp_path}/access.log}}")
    assert problem.level == "warning"
    assert "may not write" in problem.message
