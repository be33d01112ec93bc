"""A response's fields when its body gets a content coding on the way (C2). Pure; works on the kept part of a head.

Lines are found in a lower-case copy and cut out of the original: on the path of every compressed response, splitting
and joining the head costs more than the system calls.
"""

from __future__ import annotations

from lb.http.negotiate import weaken_etag

_OF_THE_OTHER_BODY = (b"\r\ncontent-length:", b"\r\naccept-ranges:", b"\r\ncontent-encoding:")


def varied(kept: bytes) -> bytes:
    """The head with `Vary: Accept-Encoding`, unless it says so already."""
    lower = kept.lower()
    at = lower.find(b"\r\nvary:")
    while at >= 0:
        end = lower.index(b"\r\n", at + 7)
        names = {name.strip() for name in lower[at + 7 : end].split(b",")}
        if b"accept-encoding" in names or b"*" in names:
            return kept
        at = lower.find(b"\r\nvary:", end)
    return kept + b"Vary: Accept-Encoding\r\n"


def encoded(kept: bytes, coding: bytes) -> bytes:
    """The head of the same response with its body in this coding: a strong ETag weak, length and ranges gone."""
    lower = kept.lower()
    for name in _OF_THE_OTHER_BODY:
        at = lower.find(name)
        while at >= 0:
            end = lower.index(b"\r\n", at + 2)
            kept = kept[:at] + kept[end:]
            lower = lower[:at] + lower[end:]
            at = lower.find(name, at)
    at = lower.find(b"\r\netag:")
    if at >= 0:
        end = lower.index(b"\r\n", at + 7)
        kept = kept[: at + 7] + b" " + weaken_etag(kept[at + 7 : end].strip()) + kept[end:]
    return kept + b"Content-Encoding: " + coding + b"\r\n"
