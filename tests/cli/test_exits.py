"""How a command ends with a reason on stderr."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from lb.cli.exits import BAD_CONFIGURATION, FAILED, USAGE, fail


@pytest.mark.parametrize("code", [FAILED, USAGE, BAD_CONFIGURATION])
def test_the_reason_is_one_line_on_stderr(code: int) -> None:
    # spec: E3
    @click.command()
    def command() -> None:
        fail("the disk is full", code)

    result = CliRunner().invoke(command)
    assert (result.exit_code, result.stderr, result.stdout) == (code, "lb: the disk is full\n", "")


def test_codes_are_told_apart() -> None:
    assert len({FAILED, USAGE, BAD_CONFIGURATION, 0}) == 4
    assert click.UsageError("x").exit_code == USAGE
