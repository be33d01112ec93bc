"""`lb import`: a configuration of nginx, Caddy or Traefik → one of lb, and what it leaves out."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import click

from lb.cli.exits import BAD_CONFIGURATION, FAILED, FINDINGS, fail
from lb.config.problems import printable
from lb.importing.import_file import LANGUAGES, Imported, Language, import_files
from lb.importing.omissions import Omission, Weight
from lb.importing.source_line import SourceLine, UnreadableSourceError

_SECRET = 0o600  # files beside the configuration hold hashes of passwords


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--from", "language", type=click.Choice(LANGUAGES), help="The language; without it the name says it.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where to write; without it standard output.")
@click.pass_context
def import_configuration(
    context: click.Context, files: tuple[Path, ...], language: Language | None, output: Path | None
) -> None:
    """Print a configuration of lb that does what FILE does: nginx.conf, a Caddyfile, a compose.yaml with labels for
    Traefik (several compose files are read as one).

    What has no counterpart goes to standard error, heaviest first. Exit code 0: all of it is said; 3: something was
    left out; 78: FILE cannot be read.
    """
    try:
        done = import_files(files, language, _directory(output))
    except UnreadableSourceError as error:
        fail(str(error), BAD_CONFIGURATION)
    if output is None:
        click.echo(done.text, nl=False)
    else:
        _write(output, done)
    omissions = (*_unwritten(done, files[0], output), *done.omissions)
    for omission in omissions:
        click.echo(str(omission), err=True)
    if omissions:
        click.echo(f"lb import: {_tally(omissions)}", err=True)
        context.exit(FINDINGS)


def _directory(output: Path | None) -> str:
    parent = str(output.parent) if output is not None else "."
    return "" if parent == "." else f"{parent}/"


def _write(output: Path, done: Imported) -> None:
    """Writes the configuration and what it needs beside it; existing files stay as they are."""
    try:
        for name, text in done.files.items():
            descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _SECRET)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
        with output.open("x", encoding="utf-8") as file:
            file.write(done.text)
    except OSError as error:
        fail(f"{printable(str(error.filename))}: {error.strerror}", FAILED)


def _unwritten(done: Imported, source: Path, output: Path | None) -> tuple[Omission, ...]:
    if output is not None:
        return ()
    at = SourceLine(source.name, 0)
    hint = "lb import -o lb.yaml writes it beside the configuration"
    return tuple(
        Omission(Weight.ACCESS, at, f"the file {name} has to be made: it has the users", hint) for name in done.files
    )


def _tally(omissions: tuple[Omission, ...]) -> str:
    counts = Counter(omission.weight for omission in omissions)
    parts = ", ".join(f"{counts[weight]} of {weight.name.lower()}" for weight in sorted(counts, reverse=True))
    number = len(omissions)
    return f"{number} {'thing was' if number == 1 else 'things were'} left out or differ: {parts}"
