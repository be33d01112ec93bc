""".leanignore → which files of a folder are not sent (B16). The patterns are those of a .gitignore.

The rules of gitignore(5): the last pattern that matches decides, `!` takes a file back in, and what stands in an
ignored folder cannot be taken back.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lb.apps.project.text import read_text

NAME = ".leanignore"
DEFAULT_IGNORE = """\
.git/
.DS_Store
.avoscloud/
.leancloud/
venv
.venv
*.pyc
__pycache__/
"""


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """Patterns in the order in which they are written: each an expression, and whether it ignores or takes back."""

    patterns: tuple[tuple[re.Pattern[str], bool, bool], ...]  # expression, folders only, ignores

    @classmethod
    def of(cls, text: str) -> IgnoreRules:
        """The rules of a file's text."""
        return cls(tuple(found for line in text.splitlines() if (found := _pattern(line)) is not None))

    def ignores(self, path: str, *, is_folder: bool) -> bool:
        """Whether the file at `path` (with `/`, from the top) is left out, if no folder around it is."""
        for expression, folders_only, ignored in reversed(self.patterns):
            if (is_folder or not folders_only) and expression.fullmatch(path) is not None:
                return ignored
        return False


def read_ignore(root: Path) -> IgnoreRules:
    """The rules of the project's own file, else the usual ones. Raises ProjectError."""
    text = read_text(root, NAME)
    return IgnoreRules.of(DEFAULT_IGNORE if text is None else text)


def walk(root: Path, rules: IgnoreRules, below: str = "") -> Iterator[str]:
    """The paths of all files, links and folders that are not ignored, in order; a folder before what it holds."""
    with os.scandir(root / below) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        path = f"{below}/{entry.name}" if below else entry.name
        is_folder = entry.is_dir(follow_symlinks=False)
        if rules.ignores(path, is_folder=is_folder):
            continue
        yield path
        if is_folder:
            yield from walk(root, rules, path)


def _pattern(line: str) -> tuple[re.Pattern[str], bool, bool] | None:
    line = line.removesuffix("\r")
    while line.endswith(" ") and not line.endswith("\\ "):
        line = line[:-1]
    if not line or line.startswith("#"):
        return None
    ignored = not line.startswith("!")
    if not ignored:
        line = line[1:]
    folders_only = line.endswith("/")
    line = line.removesuffix("/") if folders_only else line
    if not line:
        return None
    anchored = "/" in line
    try:
        expression = _expression(line.removeprefix("/"))
    except (re.error, ValueError):  # a bracket or a backslash without its end matches nothing
        return None
    return re.compile(expression if anchored else f"(?:.*/)?{expression}", re.DOTALL), folders_only, ignored


def _expression(pattern: str) -> str:
    """A regular expression for one pattern; whole path components of `**` stand for any number of folders."""
    made, at = "", 0
    while at < len(pattern):
        rest = pattern[at:]
        starts = at == 0 or pattern[at - 1] == "/"
        if starts and rest.startswith("**/"):
            made, at = made + "(?:[^/]+/)*", at + 3
        elif starts and rest == "**":
            made, at = made + ".+", at + 2
        elif rest.startswith("*"):
            run = len(rest) - len(rest.lstrip("*"))
            made, at = made + "[^/]*", at + run
        elif rest.startswith("?"):
            made, at = made + "[^/]", at + 1
        elif rest.startswith("["):
            text, length = _bracket(rest)
            made, at = made + text, at + length
        elif rest.startswith("\\"):
            if len(rest) == 1:
                raise ValueError(pattern)
            made, at = made + re.escape(rest[1]), at + 2
        else:
            made, at = made + re.escape(rest[0]), at + 1
    return made


def _bracket(text: str) -> tuple[str, int]:
    """The expression for `[a-z]` at the start of `text`, and how long it is."""
    negated = text[1:2] in {"!", "^"}
    start = 2 if negated else 1
    end = text.find("]", start + 1)
    if end < 0:
        raise ValueError(text)
    inner = text[start:end].replace("\\", "\\\\").replace("[", "\\[").replace("^", "\\^").replace("]", "\\]")
    inner = inner.replace("&", "\\&").replace("~", "\\~").replace("|", "\\|")
    return f"(?!/)[{'^' if negated else ''}{inner}]", end + 1
