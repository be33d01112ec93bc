"""What `lb demo` deploys: two small projects that are written to demo/, where they can be edited.

This file knows the projects and the engine's requests. It must not know processes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

from lb.apps.build.archive import pack
from lb.apps.project.ignore import DEFAULT_IGNORE, read_ignore
from lb.apps.service.placements import PROTOCOL
from lb.cli.engine_client import EngineLine

PLACE = Path("demo")  # in the working directory
CONFIGURATION = Path(__file__).with_name("demo.yaml")
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}\n"
_NEEDS_NOTHING = "# The app needs no packages; the engine adds the server.\n"
_PROJECTS = {
    "demo": ("web", {"asgi.py": "demo_asgi.py", "page.html": "demo_page.html"}),
    "hello": ("hello", {"wsgi.py": "demo_wsgi.py"}),
}
"""App → its folder, and the files in it by the names that they have in this package."""

_FIRST = ("demo", "production")
_OTHERS = (("demo", "staging"), ("hello", "production"))
Connect = Callable[[], EngineLine]


def write_demo(place: Path = PLACE) -> None:
    """The configuration and the projects, as far as they are not there. Raises OSError."""
    package = Path(__file__).parent
    files = {"lb.yaml": CONFIGURATION.read_text("utf-8")}
    for folder, sources in _PROJECTS.values():
        files |= {f"{folder}/{name}": (package / source).read_text("utf-8") for name, source in sources.items()}
        more = {".python-version": _PYTHON, "requirements.txt": _NEEDS_NOTHING, ".leanignore": DEFAULT_IGNORE}
        files |= {f"{folder}/{name}": text for name, text in more.items()}
    for name, text in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(text, "utf-8")


def bring_up(connect: Connect, tell: Callable[[str], None]) -> None:
    """Deploys what never was; what was, the engine starts by itself. `tell` is called when the first page can be shown,
    with what went wrong.
    """
    problem = "the engine has ended"
    never = set()
    try:
        shown = _ask(connect, command="ps").get("environments", ())
        never = {(one["app"], one["environment"]) for one in shown if one["state"] == "never"}
        problem = _deploy(connect, *_FIRST) if _FIRST in never else ""
    except OSError as error:
        problem = f"{error.strerror or error}{f' ({error.filename})' if error.filename else ''}"
    finally:
        tell(problem)
    for target in _OTHERS:
        if target in never:
            _deploy(connect, *target)  # the engine's log has what goes wrong


def _ask(connect: Connect, **request: Any) -> dict[str, Any]:
    line = connect()
    try:
        line.send({"protocol": PROTOCOL, **request})
        return next((event for event in line.events() if event.get("event") == "result"), {})
    finally:
        line.close()


def _deploy(connect: Connect, app: str, environment: str) -> str:
    """What went wrong, with the last lines; "" once it serves. Raises OSError."""
    directory = PLACE / _PROJECTS[app][0]
    archive = BytesIO()
    pack(directory, archive, read_ignore(directory))
    size = archive.tell()
    archive.seek(0)
    line = connect()
    result: dict[str, Any] = {"sentence": "the engine has ended"}
    request = {"command": "deploy", "app": app, "environment": environment, "message": "lb demo", "size": size}
    try:
        line.send({"protocol": PROTOCOL, **request})
        for event in line.events():
            if event.get("event") == "send":
                line.send_source(archive)
            elif event.get("event") == "result":
                result = event
    finally:
        line.close()
    if result.get("ok"):
        return ""
    lines = "".join(f"\n       {text}" for text in result.get("lines", ()))
    return f"{app} {environment} is not deployed: {result['sentence']}. {result.get('next_step', '')}{lines}"
