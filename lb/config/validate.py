"""Plain values → a Config, or all their errors at once.

The model reports all its errors together, but the rules need a whole configuration. So what the model rejects is taken
out, and the rest is validated again until it is valid: a domain bound twice is reported beside an unknown key.
"""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lb.config.explain import explain_error
from lb.config.model import Config
from lb.config.problems import KeyPath, Origin, Problem
from lb.config.rule_context import RuleContext
from lb.config.rules import check_rules
from lb.config.tree import without


def validate(value: object, origin: Origin) -> tuple[Config | None, list[Problem]]:
    """The configuration that `value` describes, without rejected parts (None: nothing is left), and all problems."""
    problems: list[Problem] = []
    refused: dict[KeyPath, set[str | int]] = {}
    while True:
        try:
            config = Config.model_validate(value)
        except ValidationError as failure:
            errors = failure.errors(include_url=False)
        else:
            return config, problems + check_rules(RuleContext(config, origin, refused))
        if not refused:
            problems = [problem for error in errors if (problem := explain_error(error, origin)) is not None]
        bad = {_written_path(value, error) for error in errors}
        if () in bad:
            return None, problems
        for path in bad:
            refused.setdefault(path[:-1], set()).add(path[-1])
        value, origin = without(value, origin, bad)


def _written_path(value: object, error: ErrorDetails) -> KeyPath:
    """The path to take out: the nearest value around the error that is written in the file."""
    path: KeyPath = ()
    for part in error["loc"]:
        try:
            value = _child(value, part)
        except LookupError:
            break
        path = (*path, part)
    return path


def _child(value: object, part: str | int) -> object:
    if isinstance(value, dict):
        return value[part]
    if isinstance(value, list) and isinstance(part, int):
        return value[part]
    raise LookupError
