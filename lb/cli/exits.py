"""Exit codes, and how a command ends with one and a reason on stderr."""

from __future__ import annotations

from typing import NoReturn

import click

FAILED = 1  # failed while running
USAGE = 2  # wrong usage; click's own choice too
FINDINGS = 3  # done, and the answer is that there is something
BAD_CONFIGURATION = 78  # EX_CONFIG of sysexits.h


def fail(message: str, code: int) -> NoReturn:
    """Ends the command: `lb: message` on stderr, and the exit code."""
    click.echo(f"lb: {message}", err=True)
    raise click.exceptions.Exit(code)
