"""Conditional requests for what is served here (RFC 9110 section 13): pure, from fields and validators to an outcome.

Tags are strong and compared as the conditions want it: strongly by If-Match and If-Range, weakly by If-None-Match. What
cannot be read as a date is no condition (13.1.3, 13.1.4), but an If-Match that names nothing we have fails. This file
knows no files, and no status lines.
"""

from __future__ import annotations

import re
from calendar import timegm
from dataclasses import dataclass
from email.utils import parsedate
from enum import Enum

from lb.http.head import field_name

_tag = re.compile(rb'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_NAMES = frozenset((b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since", b"if-range", b"range"))
_LONGEST_DATE = 64


class Precondition(Enum):
    """What the conditions make of a request for something that is there."""

    GO_ON = "go on"
    NOT_MODIFIED = "not modified"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Validators:
    """What is served now: its strong entity tag with its quotes, and when it was last changed, in whole seconds."""

    tag: bytes
    modified: int


Fields = dict[bytes, bytes]


def conditions_in(kept: bytes) -> Fields:
    """The fields of a request that are conditions, Range among them, by lower-case name; lists on several lines are
    one. A single field that comes twice counts as none.
    """
    found: Fields = {}
    twice = set()
    for line in kept.split(b"\r\n")[1:]:
        name = field_name(line)
        if name not in _NAMES:
            continue
        value = line[len(name) + 1 :].strip(b" \t")
        if name not in found:
            found[name] = value
        elif name in (b"if-match", b"if-none-match"):
            found[name] += b", " + value
        else:
            twice.add(name)
    for name in twice:
        del found[name]
    return found


def evaluate(fields: Fields, validators: Validators) -> Precondition:
    """The preconditions of a GET or HEAD, in the order of RFC 9110 13.2.2."""
    if (match := fields.get(b"if-match")) is not None:
        if not _names(match, validators.tag, weakly=False):
            return Precondition.FAILED
    elif (since := _date(fields.get(b"if-unmodified-since"))) is not None and validators.modified > since:
        return Precondition.FAILED
    if (none_match := fields.get(b"if-none-match")) is not None:
        return Precondition.NOT_MODIFIED if _names(none_match, validators.tag, weakly=True) else Precondition.GO_ON
    since = _date(fields.get(b"if-modified-since"))
    return Precondition.NOT_MODIFIED if since is not None and validators.modified <= since else Precondition.GO_ON


def range_holds(fields: Fields, validators: Validators, now: float) -> bool:
    """Whether Range is about what is served now (RFC 9110 13.1.5). A date has to be exactly ours, and old enough to be
    a strong validator: of a file that changed within the last second, two versions may share it.
    """
    value = fields.get(b"if-range")
    if value is None:
        return b"if-range" not in fields
    if value.startswith((b'"', b"W/")):
        return value == validators.tag
    return _date(value) == validators.modified and now - validators.modified >= 1.0


def _names(value: bytes, tag: bytes, *, weakly: bool) -> bool:
    """Whether a list of tags has this one; `*` is any."""
    if value == b"*":
        return True
    return any(quoted == tag and (weakly or not weak) for weak, quoted in _tag.findall(value))


def _date(value: bytes | None) -> int | None:
    """Seconds since 1970 of an HTTP-date, None for what is none."""
    if value is None or len(value) > _LONGEST_DATE:
        return None
    try:
        parts = parsedate(value.decode("ascii"))
        return None if parts is None else timegm(parts)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
