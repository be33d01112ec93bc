"""A Caddyfile with what it imports: snippets with their arguments, and other files.

The result has options, and sites whose blocks have no `import` any more. This file knows no other directive.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from glob import glob
from pathlib import Path

from lb.importing.caddy.syntax import CaddyLine, parse_caddyfile, refuse
from lb.importing.nginx.files import read_text
from lb.importing.omissions import Omissions, Weight

_DEEPEST = 20
_MOST_LINES = 100_000
_ARGUMENT = re.compile(r"\{args(?:\[(\d*)(:?)(\d*)\]|\.(\d+))\}")


@dataclass(slots=True)
class CaddyFile:
    """The parts of a file: global options, and the blocks of sites by their addresses."""

    options: list[CaddyLine] = field(default_factory=list)
    sites: list[CaddyLine] = field(default_factory=list)


class CaddyFiles:
    """Reads a file, and what it imports."""

    def __init__(self, main: Path, omissions: Omissions) -> None:
        self._main = main
        self._omissions = omissions
        self._snippets: dict[str, CaddyLine] = {}
        self._routes: dict[str, CaddyLine] = {}
        self._lines = 0

    def read(self) -> CaddyFile:
        """Raises UnreadableSourceError."""
        found = CaddyFile()
        self._top(self._parsed(self._main, self._main.name), found, 0)
        return found

    def _top(self, lines: tuple[CaddyLine, ...], found: CaddyFile, depth: int) -> None:
        for line in lines:
            if line.block is not None and not line.words:
                found.options += self._expanded(line.block, depth)
            elif len(line.words) == 1 and re.fullmatch(r"\(.+\)", line.name):
                self._snippets[line.name[1:-1]] = line
            elif len(line.words) == 1 and line.name.startswith("&("):
                self._routes[line.name[2:-1]] = line
            elif line.name == "import" and line.block is None:
                if line.rest and line.rest[0] in self._snippets:
                    self._top(self._filled(line), found, depth + 1)
                else:
                    self._top(self._of_files(line, depth), found, depth + 1)
            elif line.block is not None:
                found.sites.append(CaddyLine(line.words, line.at, tuple(self._expanded(line.block, depth))))

    def _expanded(self, lines: tuple[CaddyLine, ...], depth: int) -> list[CaddyLine]:
        if depth > _DEEPEST:
            refuse(self._main.name, lines[0].at.line if lines else 0, "imports are nested without end")
        expanded: list[CaddyLine] = []
        for line in lines:
            self._lines += 1
            if self._lines > _MOST_LINES:
                refuse(self._main.name, line.at.line, "imports make too many lines")
            if line.name == "import" and line.rest:
                known = line.rest[0] in self._snippets
                inner = self._filled(line) if known else self._of_files(line, depth)
                expanded += self._expanded(inner, depth + 1)
            elif line.name == "invoke" and line.rest and line.rest[-1] in self._routes:
                block = tuple(self._expanded(self._routes[line.rest[-1]].block or (), depth + 1))
                expanded.append(CaddyLine(("route", *line.rest[:-1]), line.at, block))
            elif line.block is not None:
                expanded.append(CaddyLine(line.words, line.at, tuple(self._expanded(line.block, depth))))
            else:
                expanded.append(line)
        return expanded

    def _filled(self, line: CaddyLine) -> tuple[CaddyLine, ...]:
        """The lines of a snippet with the arguments of an `import`."""
        snippet = self._snippets[line.rest[0]]
        return tuple(_lines_with(snippet.block or (), line.rest[1:], line.block or ()))

    def _of_files(self, line: CaddyLine, depth: int) -> tuple[CaddyLine, ...]:
        pattern = line.rest[0] if line.rest else ""
        paths = [Path(path) for path in sorted(glob(str(self._main.parent / pattern))) if Path(path).is_file()]  # noqa: PTH207 - absolute ones, too
        if depth > _DEEPEST:
            refuse(self._main.name, line.at.line, "imports are nested without end")
        if not paths and "*" not in pattern:
            message = f"{pattern} is neither a snippet nor a file that is here, so whatever it says is missing"
            hint = "import on the machine that has it, or copy the directory of the configuration with it"
            self._omissions.add(Weight.ACCESS, line.at, message, hint)
        found: list[CaddyLine] = []
        for path in paths:
            found += self._parsed(path, str(path.relative_to(self._main.parent)) if _is_below(path, self._main) else "")
        return tuple(found)

    @staticmethod
    def _parsed(path: Path, name: str) -> tuple[CaddyLine, ...]:
        name = name or str(path)
        text = read_text(path, name)
        lines = parse_caddyfile(name, text)
        is_fragment = len(lines) == 1 and lines[0].block is not None and not re.search(r"[{:.,(]", lines[0].written())
        if is_fragment and lines[0].at.line and "." not in lines[0].name and name != "Caddyfile":
            first = lines[0]
            return (CaddyLine(first.words, first.at), *(first.block or ()))
        return lines


def _is_below(path: Path, main: Path) -> bool:
    return path.is_relative_to(main.parent)


def _lines_with(
    lines: tuple[CaddyLine, ...], arguments: tuple[str, ...], block: tuple[CaddyLine, ...]
) -> list[CaddyLine]:
    found: list[CaddyLine] = []
    for line in lines:
        if line.words == ("{block}",):
            found += block
            continue
        words = tuple(part for word in line.words for part in _filled_word(word, arguments))
        inner = None if line.block is None else tuple(_lines_with(line.block, arguments, block))
        found.append(CaddyLine(words, line.at, inner))
    return found


def _filled_word(word: str, arguments: tuple[str, ...]) -> list[str]:
    whole = _ARGUMENT.fullmatch(word)
    if whole is not None and whole[2]:
        first, last = int(whole[1] or 0), int(whole[3] or len(arguments))
        return list(arguments[first:last])

    def value(found: re.Match[str]) -> str:
        number = int(found[1] or found[4] or 0)
        return arguments[number] if number < len(arguments) else found[0]

    return [_ARGUMENT.sub(value, word)]
