"""Settings with the lines that say them → the text of a YAML file, with these lines in comments.

This file knows YAML's syntax and nothing of what the keys mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lb.config.problems import printable
from lb.importing.draft import Said
from lb.importing.source_line import SourceLine

_PLAIN = re.compile(r"[A-Za-z0-9/_.][A-Za-z0-9/_.:+%=;~-]*(?: [A-Za-z0-9/_.(+%=;~-][A-Za-z0-9/_.:+%=;~()-]*)*")
_PLAIN_IN_FLOW = re.compile(r"[A-Za-z0-9/_.][A-Za-z0-9/_.+%=;~-]*")
_BLANKS = frozenset(("null", "Null", "NULL", "~", ""))
_LONGEST_FLOW = 100
_STEP = "  "


def yaml_text(settings: dict[str, Any], heading: str = "") -> str:
    """The whole file. `heading` is a comment at its beginning; an empty line stands before each key of the top."""
    parts = ["".join(f"# {line}".rstrip() + "\n" for line in heading.splitlines())] if heading else []
    parts += ["\n".join(_mapping({key: value}, "")) + "\n" for key, value in settings.items()]
    return "\n".join(parts)


def scalar(value: Any, *, flow: bool = False) -> str:
    """One value as YAML: plain where that is safe, else in double quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    pattern = _PLAIN_IN_FLOW if flow else _PLAIN
    is_plain = pattern.fullmatch(text) is not None and ": " not in text and not text.endswith(":")
    return text if is_plain and text not in _BLANKS else f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def _mapping(settings: dict[str, Any], indent: str) -> Iterator[str]:
    for key, value in settings.items():
        name = scalar(key)
        if isinstance(value, dict):
            yield f"{indent}{name}:" if value else f"{indent}{name}: {{}}"
            yield from _mapping(value, indent + _STEP)
        elif isinstance(value, list):
            yield f"{indent}{name}:"
            yield from _items(value, indent + _STEP)
        else:
            yield from _said(f"{indent}{name}:", value, indent)


def _said(start: str, said: Said, indent: str) -> Iterator[str]:
    value = said.value
    if isinstance(value, dict):
        yield start + _comment(said)
        yield from _mapping(value, indent + _STEP)
    elif isinstance(value, (list, tuple)):
        items = ", ".join(scalar(item, flow=True) for item in value)
        if len(items) <= _LONGEST_FLOW:
            yield f"{start} [{items}]{_comment(said)}"
        else:
            yield start + _comment(said)
            yield from (f"{indent}{_STEP}- {scalar(item)}" for item in value)
    else:
        yield f"{start} {scalar(value)}{_comment(said)}"


def _items(items: list[Any], indent: str) -> Iterator[str]:
    for item in items:
        value = item.value if isinstance(item, Said) else item
        if not isinstance(value, dict):
            yield from _said(f"{indent}-", item, indent)
            continue
        lines = list(_mapping(value, indent + _STEP))
        lines[0] = f"{indent}- {lines[0].lstrip()}"
        if isinstance(item, Said) and "  # " not in lines[0]:
            lines[0] += _comment(item)
        yield from lines


def _comment(said: Said) -> str:
    words = [text for text in (_places(said.at), said.note) if text]
    return f"  # {printable('; '.join(words))}" if words else ""


def _places(at: tuple[SourceLine, ...]) -> str:
    """`nginx.conf:3, 7, tls.conf:2`: each file once where it comes several times in a row."""
    parts: list[str] = []
    file = None
    for place in dict.fromkeys(at):
        parts.append(str(place.line) if place.file == file and place.line else str(place))
        file = place.file
    return ", ".join(parts)
