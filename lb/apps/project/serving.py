"""What serves a project: `run`, else wsgi.py, asgi.py, a Django project's own module, a Procfile's `web`; or why none.

Order and words are here; what a module holds is found by application.py.
"""

from __future__ import annotations

import os
from pathlib import Path

from lb.apps.project import manifest as manifests
from lb.apps.project import misspelt
from lb.apps.project.application import AppKind, FoundApp, candidates, find_app, settings_module
from lb.apps.project.errors import ProjectError
from lb.apps.project.manifest import Manifest
from lb.apps.project.procfile import Procfile
from lb.apps.project.start import Serving, StartPlan

# The first one that the project names in its own list is taken, else the first one is added.
_SERVERS = {Serving.WSGI: ("gunicorn", "granian", "waitress"), Serving.ASGI: ("uvicorn", "granian")}
_OTHER_LANGUAGES = {
    "package.json": "Node.js",
    "pom.xml": "Java",
    "build.gradle": "Java",
    "go.mod": "Go",
    "composer.json": "PHP",
    "index.php": "PHP",
    "Cargo.toml": "Rust",
    "Gemfile": "Ruby",
    "index.html": "a static site",
}
_USUAL_MODULES = ("app", "main", "application", "server", "api", "run", "manage")
_MOST_NAMES = 12  # of a folder that are listed


def plan_start(
    root: Path, manifest: Manifest, commands: Procfile, installed: frozenset[str], notes: list[str]
) -> StartPlan:
    """How the project is started; `installed` are the packages that its own list names. Raises ProjectError."""
    command, module, serving = manifest.run, "", Serving.COMMAND
    if command is None:
        found = _module(root, manifest)
        if found is not None:
            module, serving = found
            if commands.web is not None:
                notes.append(f"web of the Procfile is not used, because {module}.py is there: `run` would be")
        else:
            command = commands.web
    if command is None and not module:
        raise _nothing(root)
    server = _server(serving, manifest.server, installed) if serving is not Serving.COMMAND else ""
    if command is not None and manifest.server != "auto":
        notes.append(f"server: {manifest.server} has no effect, because run is set")
    return StartPlan(
        serving=serving,
        command=command,
        module=module,
        server=server,
        startup_timeout=manifest.startup_timeout,
        functions_mode=manifest.functions_mode,
        release=manifest.release or commands.release,
        workers=manifest.workers or commands.workers,
    )


def _module(root: Path, manifest: Manifest) -> tuple[str, Serving] | None:
    """The module that has `application`, and how it is called."""
    wants_asgi = manifest.server == "uvicorn"
    order = ("asgi", "wsgi") if wants_asgi else ("wsgi", "asgi")
    for module in order:
        if (root / f"{module}.py").is_file():
            return module, _kind(root, module, manifest.server)
    settings = settings_module(root)
    package = settings.split(".")[0] if settings is not None else ""
    for module in order:
        dotted = f"{package}.{module}"
        if (
            package
            and (root / package / f"{module}.py").is_file()
            and find_app(root, dotted).kind is not AppKind.MISSING
        ):
            return dotted, Serving.ASGI if module == "asgi" else Serving.WSGI
    return None


def _kind(root: Path, module: str, server: str) -> Serving:
    """How `application` in wsgi.py or asgi.py is called. Raises ProjectError where the file's name says otherwise."""
    file = f"{module}.py"
    found = find_app(root, module)
    if found.kind is AppKind.MISSING:
        raise _no_application(root, module)
    what = f"{_article(found)} {found.framework} app" if found.framework else f"an {found.kind} app"
    if module == "wsgi" and found.kind is AppKind.ASGI and server not in {"uvicorn", "granian"}:
        raise ProjectError(
            f"application in {file} is {what}, which is called by ASGI",
            "name the file asgi.py, or set server: uvicorn",
            file=file,
        )
    if module == "asgi" and found.kind is AppKind.WSGI:
        raise ProjectError(
            f"application in {file} is {what}, which is called by WSGI", "name the file wsgi.py", file=file
        )
    is_asgi = found.kind is AppKind.ASGI or module == "asgi" or server == "uvicorn"
    return Serving.ASGI if is_asgi else Serving.WSGI


def _no_application(root: Path, module: str) -> ProjectError:
    file = f"{module}.py"
    near = next((name for name, _ in candidates(root, module)), None)
    if near is not None:
        return ProjectError(
            f"{file} has no global name application, but an app named {near}",
            f"add a line: application = {near}",
            file=file,
        )
    return ProjectError(
        f"{file} has no global name application", "add one, such as: from app import app as application", file=file
    )


def _article(found: FoundApp) -> str:
    return "an" if found.framework[:1] in "AEIOU" else "a"


def _server(serving: Serving, chosen: str, installed: frozenset[str]) -> str:
    possible = _SERVERS[serving]
    if chosen == "auto":
        return next((server for server in possible if server in installed), possible[0])
    if chosen not in possible:
        raise ProjectError(
            f"server: {chosen} cannot serve an {serving.name} app", f"use {' or '.join(possible)}", file=manifests.NAME
        )
    return chosen


def _nothing(root: Path) -> ProjectError:
    """Why there is nothing to serve, what is there, and what is probably meant."""
    names = sorted(entry.name + "/" * entry.is_dir() for entry in os.scandir(root) if not entry.name.startswith("."))
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    listed = f"it has {', '.join(names[:_MOST_NAMES])}{more}" if names else "it is empty"
    for wanted in ("wsgi.py", "asgi.py"):
        if (near := misspelt.find_misspelt([name for name in names if not name.endswith("/")], wanted)) is not None:
            return ProjectError(f"there is no {wanted}, but a file {near}", f"rename it: mv {near} {wanted}")
    return ProjectError(f"this folder has no app that lb could start: {listed}", _advice(root, names))


def _advice(root: Path, names: list[str]) -> str:
    modules = [name.removesuffix(".py") for name in names if name.endswith(".py")]
    for module in sorted(modules, key=lambda name: (name not in _USUAL_MODULES, name)):
        for name, app in candidates(root, module):
            file = "asgi.py" if app.kind is AppKind.ASGI else "wsgi.py"
            return (
                f"{module}.py has a {app.framework} app: write into {file}: from {module} import {name} as application"
            )
    for file, language in _OTHER_LANGUAGES.items():
        if file in names and not modules:
            return f"{file} belongs to {language}; lb runs Python projects"
    for folder in (name for name in names if name.endswith("/")):
        if any((root / folder / file).is_file() for file in ("wsgi.py", "asgi.py", "requirements.txt", manifests.NAME)):
            return f"is the app in {folder}? Write into {manifests.NAME}: buildRoot: {folder.rstrip('/')}"
    example = f"{modules[0]}.py" if modules else "app.py"
    return f"write a wsgi.py with `application` in it, or into {manifests.NAME}: run: python {example}"
