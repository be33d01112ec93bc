"""Balancing settings as people write them: what to hash, statuses, shares, cookie names.

This file knows one value at a time, and not which key it belongs to; each function raises BadValueError with a message
for an operator.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

from lb.config.migration_hints import ABSENT_BALANCES, FOREIGN_BALANCES
from lb.config.problems import quoted
from lb.config.suggest import any_of, nearest, parse_choice
from lb.config.units import BadValueError, describe

NAME_PATTERN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # RFC 9110 5.6.2: names of header fields and cookies
HASH_PATTERN = rf"client_address|uri|(header|cookie):\s*{NAME_PATTERN}"
BALANCES = ("round_robin", "least_connections", "power_of_two", "consistent_hash", "sticky")
SHARE_PATTERN = r"[0-9]+(\.[0-9]+)? ?%"

_NAME = re.compile(NAME_PATTERN, re.ASCII)
_SHARE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?%", re.ASCII)
_PLAIN = ("client_address", "uri")
_NAMED = ("header", "cookie")
_LONGEST_SHARE = 12  # characters


def parse_balance(value: object) -> str:
    """The name of a balancer; names of other programs lead to a hint."""
    word = re.split(r"[\s(]", value.strip(), maxsplit=1)[0] if isinstance(value, str) else ""
    if absent := ABSENT_BALANCES.get(word.lower().replace("-", "_")):
        raise BadValueError(f"{quoted(value)} is unknown", absent)
    if value not in BALANCES and (ours := FOREIGN_BALANCES.get(word.lower().replace("-", "_"))):
        raise BadValueError(f"{quoted(value)} is unknown", f"in lb this is {ours}")
    return parse_choice(value, BALANCES)


def parse_hash(value: object) -> str:
    """`client_address`, `uri`, `header:NAME` (in lower case) or `cookie:NAME`."""
    hint = f"use {any_of((*_PLAIN, *(f'{source}:NAME' for source in _NAMED)))}"
    if not isinstance(value, str):
        raise BadValueError(f"{describe(value)} cannot be hashed", hint)
    source, colon, name = value.strip().partition(":")
    if source in _PLAIN and not colon:
        return source
    if source not in _NAMED:
        near = nearest(source, (*_PLAIN, *_NAMED))
        raise BadValueError(f"{quoted(value)} cannot be hashed{f': did you mean {near}?' if near else ''}", hint)
    if _NAME.fullmatch(name.strip()) is None:
        raise BadValueError(f"{quoted(value)} does not name a {source}", f"write {source}:NAME, such as {source}:user")
    return f"{source}:{name.strip().lower() if source == 'header' else name.strip()}"


def parse_cookie_name(value: object) -> str:
    """The name of a cookie (RFC 6265 4.1.1)."""
    if not isinstance(value, str) or _NAME.fullmatch(value) is None:
        raise BadValueError(
            f"{describe(value)} cannot name a cookie", "use letters, digits and underscores: lb_instance"
        )
    return str(value)


def statuses(written: Iterable[str]) -> frozenset[int]:
    """All statuses that these stand for."""
    found: set[int] = set()
    for text in written:
        found.update(range(int(text[0]) * 100, int(text[0]) * 100 + 100) if text.endswith("xx") else (int(text),))
    return frozenset(found)


def parse_share(value: object) -> float:
    """A part of a whole, from 1% to 100%: `20%` is 0.2."""
    text = str(value).strip() if isinstance(value, str) else ""
    found = _SHARE.fullmatch(text)
    if found is None or len(text) > _LONGEST_SHARE:
        hint = (
            f"write {value}%" if isinstance(value, int) and not isinstance(value, bool) else "write a percentage: 20%"
        )
        raise BadValueError(f"{describe(value)} is not a share", hint)
    share = Decimal(found[1])
    if not 1 <= share <= 100:
        raise BadValueError(f"{quoted(text)} is out of range", "it must be from 1% to 100%, or off for no bound")
    return float(share / 100)
