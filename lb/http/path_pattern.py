"""How a route names paths, and every way in which a path may be read.

A pattern that ends in `/` is a prefix, and covers itself without that slash; any other is exact. `{rest}` at the end
takes all that remains, every other `{name}` one segment that is not empty. Patterns are compared with paths as they
are sent, byte for byte; `readings` tells what else a lenient server could take a path for, so that a guard cannot be
got round by spelling. This file knows paths; what a match leads to is for `path_tree` and its callers to know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import quote, unquote_to_bytes

REST = "rest"
"""The name that takes all that remains."""

_THE_REST = "{rest}"
_DECODINGS = 4  # times that a path is decoded: no server decodes more often, and each time may reveal the next
_NAME = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SAFE = "/!$&'()*+,;=:@-._~%"  # RFC 3986 3.3, and the percent sign of what is encoded already


class PatternError(ValueError):
    """A pattern that no path could match, or that says two things. The second argument says what to write."""


class PatternEnding(Enum):
    """What a pattern says of the rest of a path."""

    EXACT = "exact"
    PREFIX = "prefix"
    REST = "rest"


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A pattern as it is compared: `segments` between slashes, None for any one that is not empty; `names` are those of
    the parameters in order, `rest` excluded.
    """

    text: str
    segments: tuple[bytes | None, ...]
    names: tuple[str, ...]
    ending: PatternEnding

    def captures(self, path: bytes) -> dict[str, bytes]:
        """The values of the parameters in a path that matches. A prefix's rest is captured as `rest`, too."""
        parts = path.split(b"/")[1:]
        values = [part for part, segment in zip(parts, self.segments, strict=False) if segment is None]
        captured = dict(zip(self.names, values, strict=True))
        if self.ending is not PatternEnding.EXACT:
            captured[REST] = b"/".join(parts[len(self.segments) :])
        return captured

    def covers(self, other: PathPattern) -> bool:
        """Whether every path that `other` matches is one that this pattern matches, too."""
        if len(self.segments) > len(other.segments):
            return False
        pairs = zip(self.segments, other.segments, strict=False)
        if not all(mine is None or mine == theirs for mine, theirs in pairs):
            return False
        same = len(self.segments) == len(other.segments)
        match self.ending:
            case PatternEnding.EXACT:
                return same and other.ending is PatternEnding.EXACT
            case PatternEnding.PREFIX:
                return True
            case PatternEnding.REST:
                return not same or other.ending is PatternEnding.REST
        return False

    def meets(self, other: PathPattern) -> bool:
        """Whether there may be a path that both patterns match."""
        pairs = zip(self.segments, other.segments, strict=False)
        if not all(None in (mine, theirs) or mine == theirs for mine, theirs in pairs):
            return False
        short, long = sorted((self, other), key=lambda one: len(one.segments))
        return len(short.segments) == len(long.segments) or short.ending is not PatternEnding.EXACT


def parse_pattern(text: str) -> PathPattern:
    """The pattern that `text` is. Characters beyond ASCII and blanks are compared as they come, percent-encoded.

    Raises PatternError.
    """
    if not text.startswith("/"):
        raise PatternError(f"the path {text!r} does not begin with a slash", f"write /{text}")
    if "?" in text or "#" in text:
        raise PatternError(f"{text!r} has more than a path", "write the path alone; `query` matches parameters")
    *before, last = text[1:].split("/")
    ending = PatternEnding.EXACT
    if last == _THE_REST:
        ending = PatternEnding.REST
    elif not last:
        ending = PatternEnding.PREFIX
    else:
        before.append(last)
    segments: list[bytes | None] = []
    names: list[str] = []
    for part in before:
        segment, name = _segment(part, text)
        segments.append(segment)
        if name is not None:
            if name in names:
                raise PatternError(f"{text!r} has {{{name}}} twice", "give each parameter a name of its own")
            names.append(name)
    return PathPattern(text, tuple(segments), tuple(names), ending)


def _segment(part: str, text: str) -> tuple[bytes | None, str | None]:
    match = _NAME.fullmatch(part)
    if match is not None:
        if match[1] == REST:
            raise PatternError(
                f"{text!r} has {{rest}} before its end", "name it otherwise: {rest} takes all that remains"
            )
        return None, match[1]
    if "{" in part or "}" in part:
        hint = "write a parameter between two slashes: /users/{id}/photo"
        raise PatternError(f"{part!r} in {text!r} is only in part a parameter", hint)
    if part in (".", ".."):
        raise PatternError(f"{text!r} has a {part!r} segment, which clients resolve", "write the path that is meant")
    return quote(part, safe=_SAFE).encode(), None


def readings(path: bytes) -> tuple[bytes, ...] | None:
    """Every other path that a server could take `path` for: percent-decoded, backslashes turned, parameters of segments
    dropped, slashes merged, dots resolved, and these together. None for a path that is encoded too often to be looked
    through.
    """
    found: dict[bytes, None] = {}
    for _ in range(_DECODINGS):
        turned = path.replace(b"\\", b"/")
        for form in dict.fromkeys((path, turned, _without_parameters(path), _without_parameters(turned))):
            merged = _merged(form)
            for reading in (form, merged):
                resolved = _resolved(reading)
                found[reading] = found[resolved] = None
                if resolved != reading:
                    found[resolved.rstrip(b"/") or b"/"] = None  # /a/. and /a/b/.. are /a to some
        decoded = unquote_to_bytes(path)
        if decoded == path:
            return tuple(found)
        path = decoded
    return None


def _without_parameters(path: bytes) -> bytes:
    """The path as servlets see it: `/a;x=1/b` is /a/b to them."""
    return re.sub(rb";[^/]*", b"", path) if b";" in path else path


def _merged(path: bytes) -> bytes:
    return re.sub(rb"//+", b"/", path)


def _resolved(path: bytes) -> bytes:
    """The path without dot segments (RFC 3986 5.2.4)."""
    kept: list[bytes] = []
    segments = path.split(b"/")[1:]
    for segment in segments:
        if segment == b"..":
            del kept[-1:]
        elif segment != b".":
            kept.append(segment)
    if segments and segments[-1] in (b".", b".."):
        kept.append(b"")
    return b"/" + b"/".join(kept)
