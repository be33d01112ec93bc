"""The messages of a YAML parser → what an operator has to change.

libyaml and PyYAML's own parser word the same mistakes differently; this file knows both, and the line at which they
stopped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_IPV6 = re.compile(r"\[[0-9a-fA-F]*:[0-9a-fA-F]*:[0-9a-fA-F:.]*\](:[0-9]+)?")
_PORT = re.compile(r":[0-9]+")
_BRACKETS = re.compile(r""""(?:\\.|[^"\\])*"|'(?:''|[^'])*'|[\[\]{}]""")  # and quoted text, which hides them
_QUOTE_HINT = "put the whole value in quotes"


@dataclass(frozen=True, slots=True)
class ParseFailure:
    """Where a parser gave up: its message, its context, and the text of the line."""

    problem: str
    context: str
    line: str
    column: int  # counted from 0
    is_opening: bool  # the place is that of an opening quote or bracket, which is not closed before the end of the file

    @property
    def before(self) -> str:
        return self.line[: self.column]

    @property
    def rest(self) -> str:
        return self.line[self.column :]


def too_deep(line: str, column: int, deepest: int) -> int | None:
    """Where in `line`, before `column`, brackets are nested more than `deepest` levels deep, if they are.

    A parser has a limit of its own, and reports it differently in each release.
    """
    depth = 0
    for found in _BRACKETS.finditer(line, 0, column + 1):
        depth += (found[0] in "[{") - (found[0] in "]}")
        if depth > deepest:
            return found.start()
    return None


def explain_stumble(stumble: ParseFailure) -> tuple[str, str]:
    """A message and a hint for text that a YAML parser could not read."""
    for explain in (_tab, _quotes, _reserved_start, _braces, _colon, _dash, _indentation):
        if (found := explain(stumble)) is not None:
            return found
    return f"this is not valid YAML: {stumble.problem}", "compare it with the output of `lb config example`"


def explain_run_on(first: str, line: int) -> tuple[str, str]:
    """A message and a hint for an unquoted value that continues after `line` (from 1), whose text is `first`."""
    if first.rstrip().endswith((";", "{")):
        return (
            "this looks like the configuration of another program",
            "lb uses YAML: see `lb config example`",
        )
    if first.lstrip().startswith("-"):
        return "this value continues on the next line", 'a list item is "- " and the value: is the space missing?'
    hint = f'is line {line + 1} indented correctly, and does neither line lack a ":" or a "- "?'
    return "this value continues on the next line", hint


def _tab(stumble: ParseFailure) -> tuple[str, str] | None:
    if "\t" in stumble.line[: len(stumble.line) - len(stumble.line.lstrip())] and _at_start(stumble):
        return "this line is indented with a tab", "YAML allows only spaces there"
    return None


def _quotes(stumble: ParseFailure) -> tuple[str, str] | None:
    if "quoted scalar" in stumble.context or "double-quoted" in stumble.context:
        if "escape" in stumble.problem:
            return "a backslash before this character is invalid in double quotes", "use single quotes, or write \\\\"
        return "this quote is never closed", "add the closing quote"
    return None


def _reserved_start(stumble: ParseFailure) -> tuple[str, str] | None:
    if "alias" in stumble.context:
        word = re.split(r"[\s,\]}]", stumble.line[stumble.line.rfind("*", 0, stumble.column + 1) :])[0]
        return 'a value that begins with "*" needs quotes', f'write "{word}"'
    if "anchor" in stumble.context:
        return 'a value that begins with "&" needs quotes', _QUOTE_HINT
    if "cannot start any token" in stumble.problem:
        return f'a value that begins with "{stumble.rest[:1]}" needs quotes', _QUOTE_HINT
    if "block scalar" in stumble.context:
        return 'a value that begins with "|" or ">" needs quotes', _QUOTE_HINT
    if "tag" in stumble.problem or "tag" in stumble.context:
        return 'a value that begins with "!" needs quotes', _QUOTE_HINT
    return None


def _braces(stumble: ParseFailure) -> tuple[str, str] | None:
    if (found := _IPV6.search(stumble.line)) is not None:
        return "an IPv6 address needs quotes", f'write "{found[0]}"'
    if re.search(r"(flow (mapping|sequence|node)|node content)", f"{stumble.context} {stumble.problem}") is None:
        return None
    if stumble.before.endswith("$"):
        variable = f"${stumble.rest.partition('}')[0]}}}"
        return "inside { } and [ ] a value with ${ } needs quotes", f'write "{variable}"'
    if stumble.is_opening:
        return f'this "{stumble.rest[:1]}" is never closed', "add the closing bracket"
    if not stumble.rest.strip():
        return 'the file ends before every "{" and "[" is closed', "add the closing brackets"
    if (port := _PORT.match(stumble.rest)) is not None:
        return 'inside { } and [ ] a value that begins with ":" needs quotes', f'write "{port[0]}"'
    if "flow mapping" in stumble.context:
        return 'the "{" is not closed here: a "," or "}" is missing', "separate the entries between { and } with commas"
    if "flow sequence" in stumble.context:
        return 'the "[" is not closed here: a "," or "]" is missing', "separate the entries between [ and ] with commas"
    return f'"{stumble.rest[:1]}" is not expected here', _QUOTE_HINT


def _colon(stumble: ParseFailure) -> tuple[str, str] | None:
    if "mapping values are not allowed" in stumble.problem:
        if ":" in stumble.before:
            return 'there is a second ":" in this line', f"{_QUOTE_HINT}, or begin a new line before the second key"
        return (
            "this key is not expected here",
            'the line before it lacks a ":", or one of the two is not indented correctly',
        )
    if "could not find expected ':'" in stumble.problem:
        return 'a ":" is missing after a key', "write key: value"
    return None


def _dash(stumble: ParseFailure) -> tuple[str, str] | None:
    if "sequence entries are not allowed" in stumble.problem:
        return 'a "-" is not allowed here', 'begin a list on a line of its own; the value "-" needs quotes'
    return None


def _indentation(stumble: ParseFailure) -> tuple[str, str] | None:
    if not re.search(r"expected (key|<block end>|'-' indicator|.?<document start>)", stumble.problem):
        return None
    if not _at_start(stumble):
        return "there is text after the end of the value", _QUOTE_HINT
    if stumble.rest.startswith("-"):
        return "a list item is not expected here", "indent it like the items before it, under its key"
    return (
        "this line does not fit the lines before it",
        "keys of one mapping must start in the same column, and a list has only items",
    )


def _at_start(stumble: ParseFailure) -> bool:
    return not stumble.before.strip()
