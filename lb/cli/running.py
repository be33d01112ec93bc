"""Runs a configuration as a service, for the commands that serve: stderr for people, exit codes, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NoReturn

import click

from lb.cli.banner import banner
from lb.cli.build import describe_build
from lb.cli.exits import BAD_CONFIGURATION, FAILED, fail
from lb.cli.fallbacks import fallbacks
from lb.cli.stderr_log import log_to_stderr
from lb.config.plan import Plan
from lb.config.problems import ConfigErrors, Problem
from lb.control.service import Service, Source, prepare
from lb.control.supervisor import Stopping
from lb.process.start_error import StartError
from lb.tls.files.certificate import TlsError
from lb.tls.handshake.contexts import Contexts


def serve_config(
    plan: Plan,
    stopping: Stopping,
    file: Path | None = None,
    more: Callable[[Service], list[str]] = lambda _: [],
    source: Source | None = None,
    contexts: Contexts | None = None,
) -> int:
    """Serves until a signal ends it, and returns the exit status. The service answers commands for `file`, the
    configuration's file; `more` gives further lines for the banner; a reload reads `source`; `contexts` holds
    certificates that are loaded already.
    """
    log_to_stderr()
    service = _prepare(plan, file, contexts)
    for line in (*banner(service), *more(service)):
        _say(line)
    return service.run(partial(_say, "ready"), stopping, source)


def _say(line: str) -> None:
    with suppress(OSError):  # a full disk, or a closed reader, does not keep lb from serving
        click.echo(line, err=True)


def _prepare(plan: Plan, file: Path | None, contexts: Contexts | None) -> Service:
    """Binds and loads; ends the command with the reason if something is not available."""
    build = describe_build()
    if os.environ.get("LB_REQUIRE_COMPILED") == "1" and (missing := fallbacks(build)):
        fail(f"LB_REQUIRE_COMPILED=1, but this lb runs without {'; and without '.join(missing)}", FAILED)
    try:
        return prepare(plan, build, os.environ, file, contexts)
    except StartError as error:
        fail(str(error), FAILED)
    except TlsError as error:
        fail(str(error), BAD_CONFIGURATION)


def refuse(errors: ConfigErrors, code: int = BAD_CONFIGURATION) -> NoReturn:
    """Ends the command with everything that is wrong with a configuration."""
    show_problems((*errors.problems, *errors.warnings))
    raise click.exceptions.Exit(code)


def show_problems(problems: Iterable[Problem]) -> None:
    """On stderr, each with its place."""
    for problem in problems:
        _say(str(problem))
