"""What `lb check` says about password files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lb.passwords.apr1 import apr1
from tests.config.test_route_rules import problems, routes

GOOD = b"alice:" + apr1(b"a", b"a") + b"\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "htpasswd"
    path.write_bytes(GOOD)
    return path


def said(file: Path) -> list[str]:
    return [problem.message for problem in problems(routes({"path": "/a/", "basic_auth": str(file)}))]


def test_nothing_is_said_of_a_good_file(file: Path) -> None:
    assert said(file) == []


def test_a_missing_file_is_said_with_the_command_that_makes_it(file: Path) -> None:
    file.unlink()
    (problem,) = problems(routes({"path": "/a/", "basic_auth": {"file": str(file), "realm": "x"}}))
    assert problem.message.endswith("there is no such password file")
    assert "htpasswd -B -c" in problem.hint
    os.mkfifo(file)
    assert "it is not a regular file" in said(file)[0]


def test_bad_lines_are_said_by_number_and_never_shown(file: Path) -> None:
    file.write_bytes(GOOD + b"".join(b"user%d:hunter%d\n" % (number, number) for number in range(8)))
    found = said(file)
    assert len(found) == 6
    assert "line 2 of the password file: " in found[0]
    assert any("3 more lines" in message for message in found)
    assert not any("hunter" in message for message in found)


def test_a_file_without_users_is_a_warning(file: Path) -> None:
    file.write_bytes(b"# nobody yet\n")
    (problem,) = problems(routes({"path": "/a/", "basic_auth": str(file)}))
    assert (problem.level, "has no users" in problem.message) == ("warning", True)


def test_a_file_that_everybody_can_download_is_refused(file: Path) -> None:
    app = routes({"path": "/a/", "basic_auth": str(file)}, {"path": "/b/", "files": str(file.parent)})
    assert [problem.message for problem in problems(app)] == [
        "the password file is in a directory whose files are served"
    ]
    hidden = file.rename(file.with_name(".htpasswd"))  # hidden files are never served
    assert (
        problems(routes({"path": "/a/", "basic_auth": str(hidden)}, {"path": "/b/", "files": str(file.parent)})) == []
    )
