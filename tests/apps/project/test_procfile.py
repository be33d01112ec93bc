"""A Procfile: what it says, and where it is wrong."""

from __future__ import annotations

import pytest

from lb.apps.project.errors import ProjectError
from lb.apps.project.procfile import Procfile, parse_procfile


def test_each_kind_of_process_has_its_command() -> None:
    text = "# comment\nweb: gunicorn app:app\n\nrelease:python migrate.py\nmailer: python m.py --x: y\n"
    assert parse_procfile(text) == Procfile("gunicorn app:app", "python migrate.py", {"mailer": "python m.py --x: y"})
    assert parse_procfile("") == Procfile()


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("gunicorn app:app run", 1, "a line is a name, a colon and a command"),
        ("web: a\nmailer:\n", 2, '"mailer" has no command'),
        ("web: a\nweb: b\n", 2, '"web" appears twice'),
    ],
)
def test_a_line_that_is_wrong_is_named(text: str, line: int, sentence: str) -> None:
    with pytest.raises(ProjectError) as raised:
        parse_procfile(text)
    assert (raised.value.line, raised.value.sentence) == (line, sentence)
