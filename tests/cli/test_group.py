"""Groups of commands that say which one was probably meant."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from lb.cli.group import Group


@click.group(cls=Group)
def tool() -> None:
    pass


@tool.command()
def status() -> None:
    click.echo("it runs")


@tool.command()
def serve() -> None:
    pass


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("statsu", 'There is no command "statsu". Did you mean status?'),
        ("STATUS", "Did you mean status?"),
        ("zzz", "The commands are serve, status."),
    ],
)
def test_the_nearest_command_is_named(name: str, words: str) -> None:
    result = CliRunner().invoke(tool, [name])
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_command_that_is_there_runs_and_options_are_clicks() -> None:
    assert CliRunner().invoke(tool, ["status"]).stdout == "it runs\n"
    assert "No such option" in CliRunner().invoke(tool, ["--what"]).stderr
