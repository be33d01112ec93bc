"""Entity tags of responses compressed here (C2): one of ours for each coding, and back to the app's own.

Two representations need two tags (RFC 9110 8.8.3.3), and an app knows only its own: its "v1" becomes "v1-lb-gzip" while
it is gzipped here. When a client returns that tag, the app gets "v1" in

- If-Match (and WebDAV's If), so that a lock on what was read holds whatever the coding was;
- If-None-Match, if the client can still read that coding. A cache that has only the gzipped form must not be told
  "not modified" for a client that cannot read it: then the tag means nothing to the app, and it sends the body.

In If-Range it is not replaced: ranges count bytes of the plain body, so the rest of a compressed one is not available.
The range is removed, and the client gets the whole.

An answer that repeats the tag (304, 412) repeats it as the client knows it; to a cache a 304 with another strong tag
would concern another response (RFC 9111 4.3.4). Weak tags stay as they are: they say that the bytes may differ.

No real client sends hundreds of tags in one request: if there are more, none is examined, and the app gets what was
sent. None of ours then equals one of its own, which is safe: it answers as to a client that has nothing cached.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from itertools import islice

from lb.http.head import RequestHead, field_name
from lb.http.negotiate import choose_encoding

MARK = b"-lb-"
"""What every tag of ours contains."""

_tag = re.compile(rb'(?:W/)?"[^"]*"|[^\s,"]+')
_ours = re.compile(rb'(.*)-lb-(gzip|br|zstd)("?)', re.DOTALL).fullmatch
# A tag in quotes, or a word that an app forgot to quote; anything else has no meaning. No part of it backtracks: in a
# line of blanks that would cost the square of its length.
_etag = re.compile(rb'(\r\netag:[ \t]*+)(?!W/)("[^"\r]*+(?=")|[^\s"]++)("?+)([ \t]*+)(?=\r\n)', re.IGNORECASE)
_MOST_TAGS = 256  # in a request's conditions
_READ_ONLY = (b"GET", b"HEAD")
_CONDITIONS = (b"if-match", b"if-none-match", b"if")  # the last is WebDAV's (RFC 4918 10.4)
_OF_RANGES = (b"range", b"if-range")


def with_suffix(kept: bytes, coding: bytes) -> bytes:
    """A response's fields with its strong ETag changed to that of the body in this coding."""
    return _etag.sub(rb"\1\2" + MARK + coding + rb"\3\4", kept)


def apps_conditions(head: RequestHead) -> bytes:
    """A request's fields with conditions that name the app's own tags."""
    readable = head.accept_encoding() if head.method in _READ_ONLY else None
    lines = head.kept.split(b"\r\n")
    few = len(_condition_tags(lines)) <= _MOST_TAGS
    of_range = False
    for place, line in enumerate(lines[1:], 1):
        if MARK not in line:
            continue
        name = field_name(line)
        if few and name in _CONDITIONS:
            start = len(name) + 1
            wanted = readable if name == b"if-none-match" else None
            lines[place] = line[:start] + _tag.sub(partial(_apps, wanted), line[start:])
        elif name == b"if-range":
            of_range = True
    if of_range:
        lines = [line for line in lines if field_name(line) not in _OF_RANGES]
    return b"\r\n".join(lines)


def _condition_tags(lines: list[bytes]) -> list[bytes]:
    """The tags in the conditions among the lines of a head: all, or one more than are examined."""
    return list(islice(_all_condition_tags(lines), _MOST_TAGS + 1))


def _all_condition_tags(lines: list[bytes]) -> Iterator[bytes]:
    for line in lines[1:]:
        name = field_name(line)
        if name in _CONDITIONS:
            for tag in _tag.finditer(line, len(name) + 1):
                yield tag[0]


def _apps(readable: bytes | None, tag: re.Match[bytes]) -> bytes:
    """A tag without our suffix, if a client that accepts `readable` can read that coding; None: any."""
    match = _ours(tag[0])
    if match is None or (readable is not None and choose_encoding(readable, (match[2],)) is None):
        return tag[0]
    return match[1] + match[3]


def clients_tag(kept: bytes, head: RequestHead, codings: tuple[bytes, ...]) -> bytes:
    """The fields of a 304 or 412 with its strong ETag as it stands in the request's conditions.

    If there are several forms, the one of the coding (of `codings`) that the client would get now comes first, then the
    app's.
    """
    found = _etag.search(kept)
    if found is None:
        return kept
    tags = _condition_tags(head.kept.split(b"\r\n"))
    if len(tags) > _MOST_TAGS:
        return kept  # the app has seen what the client sent
    own = found[2] + found[3]
    known = set()  # codings of the named forms; b"" stands for the app's form
    for tag in tags:
        match = _ours(tag) if MARK in tag else None
        plain, coding = (tag, b"") if match is None else (match[1] + match[3], match[2])
        if plain.removeprefix(b"W/") == own:
            known.add(coding)
    chosen = choose_encoding(head.accept_encoding(), codings) or b""
    coding = next((one for one in (chosen, b"", *sorted(known)) if one in known), b"")
    return with_suffix(kept, coding) if coding else kept
