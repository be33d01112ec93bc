"""How urgent a response is (RFC 9218): what a Priority field or a PRIORITY_UPDATE frame says.

The value is a dictionary of RFC 8941, of which two keys matter: `u` (urgency, 0 to 7, 0 first) and `i` (incremental: of
use before it is whole). All else in it is skipped, and a value that cannot be read says nothing (RFC 9218 4 and 5).
This file does not know what is done with a priority.
"""

from __future__ import annotations

import re

DEFAULT_URGENCY = 3
DEFAULT = (DEFAULT_URGENCY, False)

_LAST_URGENCY = 7
_LONGEST = 1024

# A member of a dictionary: a key, with an item, an inner list, or nothing for "true", and parameters (RFC 8941 4.2.2).
_STRING = r'"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*+"'
_NUMBER = r"-?[0-9]{1,15}+(?:\.[0-9]{1,3}+)?"
_WORD = r"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*+"
_BARE = rf"(?:{_NUMBER}|{_STRING}|{_WORD}|:[A-Za-z0-9+/=]*+:|\?[01])"
_PARAMETERS = rf"(?:;[ ]*+[a-z*][a-z0-9_\-.*]*+(?:={_BARE})?)*+"
_ITEM = rf"{_BARE}{_PARAMETERS}"
_INNER = rf"\([ ]*+(?:{_ITEM}(?:[ ]++{_ITEM})*+)?[ ]*+\){_PARAMETERS}"
_member = re.compile(
    rf"(?P<key>[a-z*][a-z0-9_\-.*]*+)(?:=(?:(?P<bare>{_BARE}){_PARAMETERS}|{_INNER})|(?P<true>){_PARAMETERS})"
).match
_comma = re.compile(r"[ \t]*+,[ \t]*+").match


def parse_priority(value: bytes) -> tuple[int, bool]:
    """The urgency, and whether the response is incremental."""
    return merge_priority(DEFAULT, value)


def merge_priority(before: tuple[int, bool], value: bytes) -> tuple[int, bool]:
    """As `parse_priority`, with what is not said as it was: so a response's own field counts (RFC 9218 8)."""
    if len(value) > _LONGEST:
        return before
    text = value.decode("latin-1").strip(" ")
    urgency, incremental = before
    at = 0
    while at < len(text):
        member = _member(text, at)
        if member is None:
            return before
        bare = "?1" if member["true"] is not None else member["bare"] or ""
        if member["key"] == "u" and bare.isdecimal() and int(bare) <= _LAST_URGENCY:
            urgency = int(bare)
        elif member["key"] == "i" and bare in ("?0", "?1"):
            incremental = bare == "?1"
        at = member.end()
        if at < len(text):
            comma = _comma(text, at)
            if comma is None or comma.end() == len(text):
                return before
            at = comma.end()
    return urgency, incremental
