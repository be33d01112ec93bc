"""A response's fields when its body gets a content coding on the way (C2). Pure; works on the kept part of a head.

Lines are found in a lower-case copy or by a regular expression and cut out of the original: on the path of every
compressed response, splitting and joining the head costs more than the system calls.
"""

from __future__ import annotations

import re

from lb.http.etags import with_suffix
from lb.http.lists import varies_by_coding

# Fields about the unencoded body: its length and coding, ranges of it, and digests of its bytes (RFC 9530, RFC 1864,
# and those of object stores and repositories). Digests of the bytes before any coding (Unencoded-Digest) stay true.
_DIGESTS = (
    rb"content-(?:digest|md5)|repr-digest|digest|x-amz-checksum-[^:\r]*|x-checksum-[^:\r]*|oc-checksum|x-goog-hash|"
    rb"x-ms-content-crc64|x-(?:oss|cos)-hash-crc64ecma"
)
_of_the_other_body = re.compile(
    rb"\r\n(?:content-(?:length|encoding)|accept-ranges|" + _DIGESTS + rb"):[^\r]*", re.IGNORECASE
)
_digest_line = re.compile(rb"^(?:" + _DIGESTS + rb"):[^\r]*\r\n", re.IGNORECASE | re.MULTILINE)


def varied(kept: bytes) -> bytes:
    """The head with `Vary: Accept-Encoding`, unless it has that already."""
    lower = kept.lower()
    at = lower.find(b"\r\nvary:")
    while at >= 0:
        end = lower.index(b"\r\n", at + 7)
        if varies_by_coding(lower[at + 7 : end]):
            return kept
        at = lower.find(b"\r\nvary:", end)
    return kept + b"Vary: Accept-Encoding\r\n"


def encoded(kept: bytes, coding: bytes) -> bytes:
    """The head of the same response with its body in this coding: with its own ETag, without length, ranges and
    digests.
    """
    return with_suffix(_of_the_other_body.sub(b"", kept), coding) + b"Content-Encoding: " + coding + b"\r\n"


def without_digests(trailers: bytes) -> bytes:
    """The trailer lines of a body that is encoded here, without digests."""
    return _digest_line.sub(b"", trailers) if trailers else trailers
