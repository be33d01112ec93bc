"""The nearest correct name for a wrong one: for keys, and for values that are one of a few words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from lb.config.migration_hints import FOREIGN_WORDS
from lb.config.problems import quoted
from lb.config.units import BadValueError, describe, is_off


def snake_case(word: str) -> str:
    """`word` in the spelling of keys: accessLog and access-log become access_log."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word[:80]).lower().replace("-", "_").replace(" ", "_")


def nearest(word: str, options: Iterable[str], likeness: float = 0.6) -> str | None:
    """The option that `word` probably means; case, hyphens and a missing plural do not matter."""
    near = difflib.get_close_matches(snake_case(word), list(options), n=1, cutoff=likeness)
    return near[0] if near else None


def any_of(options: Iterable[str]) -> str:
    """`a, b or c`."""
    return _joined(options, "or")


def all_of(options: Iterable[str]) -> str:
    """`a, b and c`."""
    return _joined(options, "and")


def _joined(options: Iterable[str], word: str) -> str:
    *most, last = options
    return f"{', '.join(most)} {word} {last}" if most else last


def parse_choice(value: object, options: tuple[str, ...]) -> str:
    """One of `options`."""
    if "off" in options and is_off(value):
        return "off"
    if not isinstance(value, str):
        raise BadValueError(f"{describe(value)} is not one of {any_of(options)}")
    if value in options:
        return str(value)
    ours = FOREIGN_WORDS.get(snake_case(value))
    near = ours if ours in options else nearest(value, options)
    mend = f": did you mean {quoted(near)}?" if near else ""
    raise BadValueError(f"{quoted(value)} is unknown{mend}", f"use {any_of(options)}")
