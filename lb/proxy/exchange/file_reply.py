"""What a route that serves files answers: which form of which file, whether the client has it already, which ranges.

It knows the request's head, the route's rule and the files that were found; it sends nothing. Conditions and ranges are
about the form that this client would be given, whose tag is its own.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from lb.errors import ProxyError
from lb.http.byte_ranges import content_range, part_heads, ranges_in
from lb.http.conditions import Fields, Precondition, conditions_in, evaluate, range_holds
from lb.http.head import RequestHead
from lb.http.reply import Reply, redirect
from lb.proxy.exchange.file_body import Part
from lb.proxy.files.found_file import Representation
from lb.routing.file_rule import FileRule

if TYPE_CHECKING:
    from lb.proxy.exchange.base import ExchangeBase

_ALLOW = ((b"Allow", b"GET, HEAD"),)
_NOT_MODIFIED = b"HTTP/1.1 304 Not Modified\r\n"
_PARTIAL = b"HTTP/1.1 206 Partial Content\r\n"


class FileReply:
    """A head, and the parts of the body behind it, of the file that `form` has; None for all of it."""

    __slots__ = ("form", "lines", "parts", "status")

    def __init__(self, status: int, lines: bytes, form: Representation, parts: tuple[Part, ...] | None) -> None:
        self.status = status
        self.lines = lines
        self.form = form
        self.parts = parts


def file_reply(exchange: ExchangeBase, rule: FileRule) -> Representation | FileReply | Reply:
    """The answer of a route with this rule: a form of one as a whole, what else comes of it, or a redirect.

    Raises ProxyError: method_not_allowed, file_not_found and what else the files' cache raises, precondition_failed,
    range_not_satisfiable.
    """
    head = exchange.head
    if head.method != b"GET" and head.method != b"HEAD":  # noqa: PLR1714  no tuple
        raise ProxyError("method_not_allowed", fields=_ALLOW)
    engine = exchange.engine
    path = head.target
    if b"?" in path:
        path = path.partition(b"?")[0]
    found = engine.files.find(rule, path, engine.poller.now)
    if found.location is not None:
        query = head.target.partition(b"?")[2]
        return redirect(found.location + b"?" + query if query else found.location, 301)
    try:
        form = found.choose(head, exchange.client.can_stream)
    except OSError as error:
        raise ProxyError("file_not_readable", os.strerror(error.errno or 0).lower()) from None
    if head.ranged or b"\r\nif-" in head.kept.lower():
        reply = _conditional(head, form)
        if reply is not None:
            return reply
    return form


def _conditional(head: RequestHead, form: Representation) -> FileReply | None:
    """What the conditions and ranges make of the request, None where they leave it as it is."""
    fields = conditions_in(head.kept)
    outcome = evaluate(fields, form.validators)
    if outcome is Precondition.FAILED:
        raise ProxyError("precondition_failed", fields=((b"ETag", form.validators.tag),))
    if outcome is Precondition.NOT_MODIFIED:
        return FileReply(304, _NOT_MODIFIED + form.kept, form, ())
    if head.method != b"GET" or form.streamed:
        return None  # ranges are defined for GET alone (RFC 9110 14.2)
    return _ranged(fields, form)


def _ranged(fields: Fields, form: Representation) -> FileReply | None:
    if not range_holds(fields, form.validators, time.time()):
        return None
    ranges = ranges_in(fields.get(b"range"), form.size)
    if ranges is None:
        return None
    if not ranges:
        raise ProxyError("range_not_satisfiable", fields=((b"Content-Range", b"bytes */%d" % form.size),))
    if len(ranges) == 1:
        place = content_range(ranges[0], form.size)
        length = b"Content-Range: %b\r\nContent-Length: %d\r\n" % (place, ranges[0][1])
        return FileReply(206, _PARTIAL + form.about + length + form.kept, form, (ranges[0],))
    boundary = os.urandom(12).hex().encode()  # nothing in a file that a stranger has written can look like it
    heads = part_heads(ranges, form.size, form.content_type, boundary)
    size = sum(map(len, heads)) + sum(length for _, length in ranges)
    before, _, about = form.about.partition(b"Content-Type: " + form.content_type + b"\r\n")
    lines = _PARTIAL + before + b"Content-Type: multipart/byteranges; boundary=%b\r\n" % boundary + about
    parts: list[Part] = []
    for part_head, part in zip(heads, ranges, strict=False):
        parts += [part_head, part]
    return FileReply(206, lines + b"Content-Length: %d\r\n" % size + form.kept, form, (*parts, heads[-1]))
