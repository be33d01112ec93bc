"""Removes from messages what they must not show: values of environment variables, and secrets in the file.

A message shows `${NAME}` as the file does, not its value; a quoted line has dots in place of a secret. This file knows
text. It must not know YAML, or which section has which key.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from itertools import islice

SECRET_KEYS = frozenset({"sticky_secret", "hmac_key", "credentials"})
"""The file's keys of secrets; a test holds that the model has no others. `credentials` is a switch under cors, and is
kept to itself where people write their own into it.
"""

_DOT = "•"
_SECRET_WORDS = re.compile(r"secret|passw|passphrase|token|api_?key|hmac|credential", re.IGNORECASE)
_ALIKE = 0.75  # similarity of a misspelled name
_KEY = re.compile(r"""(?P<key>[\w-]+)["']?\s*[:=]\s*(?=\S)""")
# A value within { } or [ ]: in quotes, a reference, a list or mapping, or text up to the next "," or bracket.
_INNER = re.compile(
    r"""(?:[&!]\w*\s+)*
    (?:"(?:\\.|[^"\\])*"?|'(?:''|[^'])*'?|\$\{[^}]*\}|\[[^\]]*\]?|\{[^}]*\}?|[^,}\]]*)""",
    re.VERBOSE,
)
_KEY_ALONE = re.compile(r"(?P<key>[\w-]+)[\"']?\s*:\s*(?:[|>][-+0-9]*|&\w+)?\s*$")
_PASSWORD = re.compile(r"(?<=://)(?P<user>[^/\s:@\"']*):(?P<value>[^/\s@\"']+)(?=@)")
_REFERENCE = re.compile(r"\$\{[^}]*\}")
_SHORTEST = 4  # characters of a value that is searched for in messages; shorter ones occur in too many words
_PIECE = 5  # so many consecutive characters of a value must not be shown
_RUN = re.compile(r"[^\W_]+")
# Values that reveal nothing and may be shown.
_OPEN = frozenset(
    (
        *("true", "false", "auto", "json", "combined", "http", "https", "production", "staging", "unix", "example"),
        *("localhost", "127.0.0.1", "letsencrypt", "sticky", "round_robin", "least_connections", "power_of_two"),
    )
)


class Redaction:
    """The secrets of one configuration."""

    __slots__ = ("_names", "_pattern")

    def __init__(self) -> None:
        self._names: dict[str, str] = {}  # value, case-folded → ${NAME}
        self._pattern: re.Pattern[str] | None = None

    def learn(self, name: str, value: str) -> None:
        """From now on messages show `${name}` instead of `value`."""
        whole = value.strip()
        for text in (whole, whole.rstrip("."), whole.removeprefix("*.")):
            folded = text.casefold()
            if len(folded) >= _SHORTEST and folded not in _OPEN:
                self._names.setdefault(folded, f"${{{name}}}")
                self._pattern = None

    def text(self, message: str) -> str:
        """`message` without the values of variables."""
        if not self._names:
            return message
        if self._pattern is None:
            longest_first = sorted(self._names, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)
        return self._pattern.sub(lambda found: self._names.get(found[0].casefold(), "${…}"), message)

    @staticmethod
    def line(lines: Sequence[str], number: int) -> str:
        """Line `number` with dots for its secrets, of the same length."""
        line = lines[number] if 0 <= number < len(lines) else ""
        if not line.strip():
            return line
        if _is_under_secret(lines, number):
            indent = len(line) - len(line.lstrip())
            return line[:indent] + _dotted(line[indent:].rstrip())
        line = _PASSWORD.sub(lambda found: f"{found['user']}:{_dotted(found['value'])}", line)
        end = 0
        while (found := _KEY.search(line, end)) is not None:
            start = end = found.end()
            if is_secret(found["key"]):
                inner = _INNER.match(line, start) if re.search(r"[\[{]", line[: found.start()]) else None
                end = inner.end() if inner is not None else len(line)
                line = line[:start] + _dotted(line[start:end]) + line[end:]
        return line


def shows(message: str, value: str) -> bool:
    """Whether `message` contains a significant piece of `value`."""
    folded = message.casefold()
    for run in _RUN.findall(value.casefold()):
        pieces = {run[at : at + _PIECE] for at in range(max(1, len(run) - _PIECE + 1))} if run not in _OPEN else set()
        if any(len(piece) >= _SHORTEST and piece in folded for piece in islice(pieces, 10_000)):
            return True
    return False


def is_secret(key: str) -> bool:
    """Whether a key of this name, correct or misspelled, has a secret value."""
    name = key.lower().replace("-", "_")
    return _SECRET_WORDS.search(name) is not None or bool(
        difflib.get_close_matches(name[:80], SECRET_KEYS, n=1, cutoff=_ALIKE)
    )


def _is_under_secret(lines: Sequence[str], number: int) -> bool:
    """Whether the line is the value, or a part of it, of a secret key above it."""
    indent = _indent(lines[number])
    for above in range(number - 1, -1, -1):
        if not lines[above].strip():
            continue
        if _indent(lines[above]) < indent:
            found = _KEY_ALONE.search(lines[above])
            return found is not None and is_secret(found["key"])
    return False


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _dotted(text: str) -> str:
    """Dots for everything except references, which reveal nothing."""
    shown, end = "", 0
    for found in _REFERENCE.finditer(text):
        shown += _DOT * (found.start() - end) + (found[0] if ":-" not in found[0] else _DOT * len(found[0]))
        end = found.end()
    return shown + _DOT * (len(text.rstrip()) - end) + text[len(text.rstrip()) :]
