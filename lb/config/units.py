"""Sizes, durations, counts and switches as people write them → numbers.

This file knows one value at a time, and not which key it belongs to. Each function takes the value from the file: text,
`Plain` text, or a number if the caller is a program; it returns the result, or raises BadValueError with a message for
an operator.
"""

from __future__ import annotations

import re
from decimal import Decimal

from lb.config.problems import printable, quoted

SIZE_PATTERN = r"[0-9]+(\.[0-9]+)? ?([kKmMgGtT][iI]?)?[bB]?"
RATE_PATTERN = r"[0-9]+ ?/ ?(s|m|h)"
DURATION_PATTERN = r"[0-9]+(\.[0-9]+)? ?(ms|s|m|h|d)?"

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(?:([kmgt])i?)?b?", re.IGNORECASE | re.ASCII)
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(ms|s|m|h|d)?", re.ASCII)
_RATE = re.compile(r"([0-9]+) ?/ ?([smh])", re.ASCII)
_COUNT = re.compile(r"[+-]?[0-9]+", re.ASCII)
_BYTES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SECONDS = {
    "": Decimal(1),
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}
_SWITCHES = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def _in_any_case(*words: str) -> str:
    """A case-insensitive pattern for the words; JSON Schema has no flag for that."""
    return "|".join("".join(f"[{letter}{letter.upper()}]" for letter in word) for word in words)


ON_PATTERN = _in_any_case(*(word for word, on in _SWITCHES.items() if on))
OFF_PATTERN = _in_any_case(*(word for word, on in _SWITCHES.items() if not on))
_LONGEST_NUMBER = 30  # digits; a longer number is not meaningful
_LARGEST_SIZE = 1 << 50  # 1 PiB: well inside a C integer of 64 bits
_LARGEST_RATE = 1_000_000
_LONGEST_DURATION = 30 * 86400.0  # seconds
_NO_ZERO = "it cannot be switched off: write a long time, such as 24h"
_NO_BOUND = re.compile(r"unlimited|none|no|never|infinity|infinite|inf|max|off|false|disabled?|-1", re.IGNORECASE)
_WORDED_DURATION = re.compile(r"([0-9]+) ?(ms|milli|s|m|h|d)[a-z]*", re.IGNORECASE | re.ASCII)
_WORDED_RATE = re.compile(r"([0-9]+) ?(?:r|req|requests?)? ?(?:/|per|p)? ?(s|m|h)?[a-z]*", re.IGNORECASE | re.ASCII)


class Plain(str):
    """Text without quotes in the file: it may mean a number or a switch if the key needs one."""

    __slots__ = ()


class Expanded(Plain):
    """Text with variables replaced; `written` is the text in the file, which messages show instead."""

    written: str

    @classmethod
    def of(cls, text: str, written: str) -> Expanded:
        expanded = cls(text)
        expanded.written = written
        return expanded


class BadValueError(ValueError):
    """An invalid value: `message` is for an operator, `hint` says how to fix it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(printable(message))  # pydantic encodes it, and a variable may hold what cannot be encoded
        self.message = message
        self.hint = hint


def describe(value: object) -> str:
    """`value` as a noun for a message."""
    if isinstance(value, dict):
        return "a mapping (keys and values)"
    if isinstance(value, (list, tuple)):
        return "a list"
    return quoted(value)


def parse_size(value: object, least: int = 1, most: int = _LARGEST_SIZE) -> int:
    """Bytes of "8K", "100M", "1.5G", "64 KiB" (1,024-based with or without the i) or of a plain number."""
    text = _number_text(value)
    found = _SIZE.fullmatch(text)
    if found is None or len(text) > _LONGEST_NUMBER:
        hint = "write a number of bytes, or one with a unit: 8K, 100M, 2G"
        if _NO_BOUND.fullmatch(text):
            hint = "there is always a limit: write a large size, such as 1T"
        raise BadValueError(f"{describe(value)} is not a size", hint)
    size = Decimal(found[1]) * _BYTES[(found[2] or "").lower()]
    if size != int(size) and not found[2]:
        raise BadValueError(f"{quoted(text)} is not a whole number of bytes", f"write a unit: {text}K, {text}M")
    if size == 0 and least:
        raise BadValueError("0 is not a valid size", "0 does not mean unlimited: write a large size, such as 1T")
    if not least <= size <= most:
        raise BadValueError(
            f"{quoted(text)} is out of range", f"it must be from {show_size(least)} to {show_size(most)}"
        )
    return int(size)


def show_size(size: int) -> str:
    """A size in its shortest form: 65536 → 64K."""
    for unit in "tgmk":
        if size and size % _BYTES[unit] == 0:
            return f"{size // _BYTES[unit]}{unit.upper()}"
    return str(size)


def parse_duration(
    value: object, least: float = 0.001, most: float = _LONGEST_DURATION, instead_of_zero: str = _NO_ZERO
) -> float:
    """Seconds of "60s", "500ms", "2m", "1h", "1d", or of a plain number of seconds; from `least` to `most`.

    `instead_of_zero` is the hint for one of 0.
    """
    text = _number_text(value)
    found = _DURATION.fullmatch(text)
    if found is None or len(text) > _LONGEST_NUMBER:
        raise BadValueError(f"{describe(value)} is not a duration", _about_duration(text))
    seconds = float(Decimal(found[1]) * _SECONDS[found[2] or ""])
    if seconds == 0:
        raise BadValueError("0 is not a valid time", instead_of_zero)
    if not least <= seconds <= most:
        raise BadValueError(
            f"{quoted(text)} is out of range", f"it must be from {show_duration(least)} to {show_duration(most)}"
        )
    return seconds


def show_duration(seconds: float) -> str:
    """A duration in its shortest form: 86400 → 1d."""
    exact = Decimal(str(seconds))
    for unit in ("d", "h", "m", "s"):
        if exact % _SECONDS[unit] == 0:
            return f"{exact // _SECONDS[unit]}{unit}"
    return f"{(exact / _SECONDS['ms']).normalize():f}ms"


def parse_rate(value: object) -> tuple[int, float]:
    """Requests, and the seconds for so many, of "100/s", "600/m", "1000/h"."""
    text = value.strip() if isinstance(value, str) else ""
    found = _RATE.fullmatch(text)
    if found is None or len(text) > _LONGEST_NUMBER:
        meant = _WORDED_RATE.fullmatch(str(value).strip()[:_LONGEST_NUMBER])
        hint = f"write {meant[1]}/{(meant[2] or 's').lower()}" if meant else "write requests and a unit of time"
        raise BadValueError(f"{describe(value)} is not a rate", f"{hint}: 100/s, 600/m, 1000/h" if not meant else hint)
    requests = int(found[1])
    if not requests:
        raise BadValueError(f"{quoted(text)} allows no requests", "remove the key for no limit")
    if requests > _LARGEST_RATE:
        raise BadValueError(
            f"{quoted(text)} is out of range", f"it must be at most {_LARGEST_RATE} in each unit of time"
        )
    return requests, float(_SECONDS[found[2]])


def show_rate(requests: int, seconds: float) -> str:
    """A rate as it is written: 100 in 60 seconds → 100/m."""
    unit = next(unit for unit in ("s", "m", "h") if float(_SECONDS[unit]) == seconds)
    return f"{requests}/{unit}"


def parse_count(value: object, least: int, most: int) -> int:
    """A whole number from `least` to `most`, always decimal: 010 is ten."""
    if isinstance(value, int) and not isinstance(value, bool):
        count = value
    elif isinstance(value, Plain) and _COUNT.fullmatch(value) and len(value) <= _LONGEST_NUMBER:
        count = int(value)
    else:
        unquoted = isinstance(value, str) and _COUNT.fullmatch(value)
        raise BadValueError(
            f"{describe(value)} is not a whole number", "write the number without quotes" if unquoted else ""
        )
    if not least <= count <= most:
        raise BadValueError(f"{count} is out of range", f"it must be from {least} to {most}")
    return count


def parse_switch(value: object) -> bool:
    """True or False of true/false, yes/no, on/off in any case, with quotes or without; not of numbers."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and (switch := _SWITCHES.get(value.lower())) is not None:
        return switch
    raise BadValueError(f"{describe(value)} is neither true nor false", "write true or false")


def is_off(value: object) -> bool:
    """Whether `value` is a spelling of "off", for a setting that can be switched off as a whole."""
    return value is False or (isinstance(value, str) and _SWITCHES.get(value.lower()) is False)


def is_on(value: object) -> bool:
    """Whether `value` is a spelling of "on"."""
    return value is True or (isinstance(value, str) and _SWITCHES.get(value.lower()) is True)


def _about_duration(text: str) -> str:
    if _NO_BOUND.fullmatch(text):
        return _NO_ZERO
    if (found := _WORDED_DURATION.fullmatch(text[:_LONGEST_NUMBER])) is not None:
        unit = found[2].lower()
        return f"write {found[1]}{'ms' if unit == 'milli' else unit}"
    return "write one number and its unit: 500ms, 60s, 2m, 1h"


def _number_text(value: object) -> str:
    """The text of a possible number with a unit; "" for anything else."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return str(value).strip() if is_number or isinstance(value, str) else ""
