"""A Procfile → the command of each kind of process. It is read where there is no leanengine.yaml, or no key in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lb.apps.project.errors import ProjectError
from lb.config.problems import Problem, Source, Span, quoted

NAME = "Procfile"
_LINE = re.compile(r"([A-Za-z0-9_-]+)[ \t]*:[ \t]*(.*)")


@dataclass(frozen=True, slots=True)
class Procfile:
    """`web` serves HTTP, `release` runs once before a version starts, the others are workers."""

    web: str | None = None
    release: str | None = None
    workers: dict[str, str] = field(default_factory=dict)


def parse_procfile(text: str) -> Procfile:
    """The commands of a Procfile. Raises ProjectError with all lines that are wrong."""
    source = Source.of(NAME, text)
    problems: list[Problem] = []
    commands: dict[str, str] = {}
    for number, line in enumerate(source.lines):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        span = Span(number, 0, max(1, len(line.rstrip())))
        found = _LINE.fullmatch(line.strip())
        if found is None:
            problems.append(source.problem(span, "a line is a name, a colon and a command", "write web: COMMAND"))
        elif not found[2]:
            problems.append(source.problem(span, f"{quoted(found[1])} has no command", "write one, or remove the line"))
        elif found[1] in commands:
            problems.append(source.problem(span, f"{quoted(found[1])} appears twice", "keep one of them"))
        else:
            commands[found[1]] = found[2]
    if problems:
        raise ProjectError.of(problems)
    web, release = commands.pop("web", None), commands.pop("release", None)
    return Procfile(web, release, commands)
