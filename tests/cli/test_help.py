"""`lb help`: the list of commands, or the help of one of them."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from lb.cli.main import main


def said(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, list(arguments), prog_name="lb")
    return result.exit_code, result.output


@pytest.mark.parametrize("command", [(), ("serve",), ("certs",), ("certs", "list")])
def test_it_is_what_the_option_shows(command: tuple[str, ...]) -> None:
    assert said("help", *command) == said(*command, "--help")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("srve",), "Did you mean serve?"),
        (("certs", "lst"), "Did you mean list?"),
        (("serve", "x"), "has no subcommands"),
    ],
)
def test_what_does_not_exist(command: tuple[str, ...], words: str) -> None:
    code, output = said("help", *command)
    assert code == 2
    assert words in output
