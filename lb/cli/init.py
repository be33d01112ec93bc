"""`lb init`: what a project lacks to be deployed, or a whole project to start from. It never overwrites a file."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from lb.apps.project import procfile
from lb.apps.project.ignore import DEFAULT_IGNORE
from lb.apps.project.python_version import RUNTIME_FILE
from lb.cli.exits import FAILED, fail
from lb.cli.templates import TEMPLATES
from lb.config.names import is_label
from lb.config.problems import printable

_APP = re.compile(r"^(\w+)\s*=\s*(?:\w+\.)*(Flask|FastAPI|Starlette)\(", re.MULTILINE)
_PLACES = ("app.py", "main.py", "server.py", "api.py")
_ENTRIES = ("wsgi.py", "asgi.py", "manage.py", "leanengine.yaml", "Procfile")
_MANIFEST = """\
# How lb builds and runs this project; nothing of it is needed.
# run: python app.py              # a server of your own, which listens on $LEANCLOUD_APP_PORT
# build: python manage.py collectstatic --noinput
# release: python manage.py migrate   # once, before the new version starts
# startupTimeout: 60              # seconds to become healthy: 15 to 120
"""
_CONFIGURATION = """\
# The front door and the engine of deployed apps on this machine: lb serve lb.yaml; lb config example shows every key.
listen: {{http: "127.0.0.1:8080"}}
engine: {{region: {region}}}          # CN: apps have Beijing time; US: UTC
apps:
  {name}:
    domains: [{name}.localhost, stg-{name}.localhost]
    production: {{deploy: true}}
    staging: {{deploy: true}}
"""


@click.command()
@click.argument("directory", required=False, type=click.Path(path_type=Path))
@click.option("--template", type=click.Choice(list(TEMPLATES)), help="A project to start from.")
@click.option("--region", type=click.Choice(["CN", "US"]), help="Beijing time or UTC; asked without it.")
def init(directory: Path | None, template: str | None, region: str | None) -> None:
    """Write what the project in DIRECTORY (this one without it) lacks to be deployed; with --template, a project.

    Existing files stay as they are. It writes .python-version, .leanignore, leanengine.yaml, wsgi.py or asgi.py for an
    app that it finds, and lb.yaml, a configuration to begin with.
    """
    directory = directory or Path()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if template is None and not _has_project(directory):
            template = _asked("The directory has no project. Start from", [*TEMPLATES, "none"], "none")
        for path, text in _files(directory, template, region):
            _write(directory, path, text)
    except OSError as error:
        fail(f"{printable(str(error.filename or directory))}: {error.strerror}", FAILED)
    name = _name(directory)
    click.echo(f"Now: lb serve {directory / 'lb.yaml'}, and, in another terminal, lb deploy {name} {directory} --prod")


def _has_project(directory: Path) -> bool:
    return any(directory.glob("*.py")) or any((directory / name).exists() for name in _ENTRIES)


def _files(directory: Path, template: str | None, region: str | None) -> Iterator[tuple[str, str]]:
    yield from TEMPLATES.get(template or "", {}).items()
    if not (directory / RUNTIME_FILE).exists():  # it would no longer be read
        yield ".python-version", ".".join(platform.python_version_tuple()[:2]) + "\n"
    yield ".leanignore", DEFAULT_IGNORE + "lb.yaml\n"
    if template is None and (entry := _entry(directory)) is not None:
        yield entry
    if not (directory / procfile.NAME).exists():  # with the first key in leanengine.yaml it would no longer be read
        yield "leanengine.yaml", _MANIFEST
    if not (directory / "lb.yaml").exists():
        region = region or _asked("Region (CN: Beijing time, US: UTC)", ["CN", "US"], "CN")
        yield "lb.yaml", _CONFIGURATION.format(name=_name(directory), region=region)


def _entry(directory: Path) -> tuple[str, str] | None:
    """wsgi.py or asgi.py for an app object that stands in one of the usual files."""
    if any((directory / name).exists() for name in _ENTRIES):
        return None
    for name in _PLACES:
        try:
            found = _APP.search((directory / name).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            continue
        if found is not None:
            module = name.removesuffix(".py")
            text = f'from {module} import {found[1]} as application\n\n__all__ = ["application"]\n'
            return ("wsgi.py" if found[2] == "Flask" else "asgi.py", text)
    return None


def _write(directory: Path, path: str, text: str) -> None:
    target = directory / path
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        click.echo(f"  is there  {path}")
    else:
        click.echo(f"  written   {path}")


def _asked(question: str, choices: list[str], default: str) -> str:
    if not sys.stdin.isatty():
        return default
    return str(click.prompt(question, type=click.Choice(choices), default=default, err=True))


def _name(directory: Path) -> str:
    """A name for the app: the directory's, as far as a domain can have it."""
    name = re.sub(r"[^a-z0-9-]+", "-", directory.resolve().name.lower()).strip("-")[:50]
    return name if is_label(name) and not name.startswith("stg-") else "app"
