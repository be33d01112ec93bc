"""What a client accepts, by RFC 9110 section 12: pure functions from field values to decisions.

This file knows the syntax of weighted lists and of media types. It does not know which codings this process can make,
which responses may be transformed at all, or where the answers are used: the caller does. Unreadable parts of a list
are ignored: a client that cannot be understood gets the plain form.

Lists are split at every comma, even in a quoted parameter: the only harm of that is a range that matches nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache

_WEIGHT = re.compile(rb"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_FULL_WEIGHT = 1000
_MOST_ELEMENTS = 64  # of a list: a longer one is ignored
_MOST_PARAMETERS = 16  # of an element

# The media type of each form of an error reply; the first is for clients without a preference.
_FORMS = (("text", b"text/plain"), ("html", b"text/html"), ("json", b"application/json"))


@lru_cache(maxsize=256)
def choose_encoding(accept_encoding: bytes, offered: tuple[bytes, ...]) -> bytes | None:
    """The coding of `offered` that the client prefers, or None for the body as it is (RFC 9110 section 12.5.3).

    `accept_encoding` is the field's value, several fields joined by commas; no field at all is b"". Of equally weighted
    codings the first of `offered` wins, and any of them wins over identity unless identity has a higher weight.
    """
    weights: dict[bytes, int] = {}
    for name, weight in _weighted(accept_encoding):
        weights[b"gzip" if name == b"x-gzip" else name] = weight
    others = weights.get(b"*", 0)
    best, best_weight = None, max(1, weights.get(b"identity", others))
    for coding in offered:
        weight = weights.get(coding, others)
        if weight > best_weight or (best is None and weight == best_weight):
            best, best_weight = coding, weight
    return best


def choose_error_form(accept: bytes) -> str:
    """The form of an error reply for this Accept value: "html", "json" or "text" (RFC 9110 section 12.5.1).

    The most specific range decides on a form. Equal weights go to the form that was named more exactly, then to the one
    named first; a client that names none of them gets text.
    """
    ranges: dict[bytes, tuple[int, int]] = {}  # media range → weight, place in the list
    for place, (name, weight) in enumerate(_weighted(accept)):
        ranges.setdefault(name, (weight, -place))
    best_form, best_rank = "text", (0, 0, 0)
    for form, media_type in _FORMS:
        for exactness, name in ((2, media_type), (1, media_type.partition(b"/")[0] + b"/*"), (0, b"*/*")):
            if name in ranges:
                weight, place = ranges[name]
                rank = (weight, exactness, place)
                if weight and rank > best_rank:
                    best_form, best_rank = form, rank
                break
    return best_form


@lru_cache(maxsize=256)
def is_compressible(content_type: bytes, types: frozenset[bytes]) -> bool:
    """Whether a Content-Type value names one of `types`, which are media types in lower case without parameters."""
    return content_type.partition(b";")[0].strip().lower() in types


def _weighted(value: bytes) -> list[tuple[bytes, int]]:
    """The names of a list in lower case with their weights in thousandths, without those whose weight is unreadable."""
    items: list[tuple[bytes, int]] = []
    if value.count(b",") >= _MOST_ELEMENTS:
        return items
    for element in value.lower().split(b","):
        if element.count(b";") > _MOST_PARAMETERS:
            continue
        name, *parameters = element.split(b";")
        weight: int | None = _FULL_WEIGHT
        for parameter in parameters:
            key, _, text = parameter.strip().partition(b"=")
            if key == b"q":
                weight = _thousandths(text)
                break
        name = name.strip()
        if weight is not None:
            items.append((name, weight))
    return items


def _thousandths(text: bytes) -> int | None:
    if _WEIGHT.fullmatch(text) is None:
        return None
    whole, _, fraction = text.partition(b".")
    return int(whole) * _FULL_WEIGHT + int(fraction.ljust(3, b"0"))
