"""Whether routes that ask for a password can check one: what their password files hold.

The same kind of rules as in rules.py, which runs them. A file's lines are never shown: they may have a password in
them that nobody has hashed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from lb.config.problems import KeyPath, Problem
from lb.config.rule_context import RuleContext
from lb.passwords.password_file import PasswordFile, bad_lines, read_password_file

_MOST_LINES = 5  # bad lines of a file that are reported one by one


def _password_files(scene: RuleContext) -> Iterator[tuple[KeyPath, Path]]:
    for name, app in scene.config.apps.items():
        for index, route in enumerate(app.routes):
            if route.basic_auth is not None:
                path = ("apps", name, "routes", index, "basic_auth")
                yield ((*path, "file") if (*path, "file") in scene.origin.places else path), route.basic_auth.file


def _passwords_can_be_checked(scene: RuleContext) -> Iterator[Problem]:
    for here, file in _password_files(scene):
        try:
            data = read_password_file(os.fspath(file))
        except FileNotFoundError:
            hint = "make it with htpasswd -B -c, or correct the path"
            yield scene.origin.problem(here, "there is no such password file", hint)
        except OSError as error:
            hint = "correct the path or its permissions"
            yield scene.origin.problem(here, f"the password file cannot be read: {error.strerror}", hint)
        else:
            yield from _of_content(scene, here, data)


def _of_content(scene: RuleContext, here: KeyPath, data: bytes) -> Iterator[Problem]:
    found = list(bad_lines(data))
    for line in found[:_MOST_LINES]:
        yield scene.origin.problem(here, f"line {line.number} of the password file: {line.message}", line.hint)
    if len(found) > _MOST_LINES:
        message = f"the password file has {len(found) - _MOST_LINES} more lines that let nobody in"
        yield scene.origin.problem(here, message, found[_MOST_LINES].hint)
    if not found and not len(PasswordFile(data)):
        message = "the password file has no users, so nobody gets in"
        yield scene.origin.problem(here, message, "add one with htpasswd -B", "warning")


def _passwords_are_private(scene: RuleContext) -> Iterator[Problem]:
    """A password file under a directory that is served would be given to everybody."""
    served = [
        os.path.realpath(route.files)
        for app in scene.config.apps.values()
        for route in app.routes
        if route.files is not None
    ]
    for here, file in _password_files(scene):
        real = os.path.realpath(file)
        if any(real.startswith(directory.rstrip("/") + "/") for directory in served) and not file.name.startswith("."):
            message = "the password file is in a directory whose files are served"
            yield scene.origin.problem(here, message, "move it elsewhere")


GUARD_RULES = (_passwords_can_be_checked, _passwords_are_private)
