r"""Reads the head of a request or response from bytes: the rules, and their uncompiled form. Compiled twin: `scan.pyx`.

A head is read only if every receiver behind us would read it the same way. An ambiguous one is refused, not repaired:
a repair here does not repair it there. Refused are (sections of RFC 9112 unless said otherwise)

- a line that does not end with CR LF, and CR or LF anywhere else (2.2; CVE-2023-30589);
- a name that is not a token, or anything between it and its colon (5.1: `Content-Length :` is a length to some);
- a line that begins with a blank (5.2, obs-fold), and control characters in a value (RFC 9110 5.5);
- two lengths (6.3): Content-Length twice, even the same; Content-Length beside Transfer-Encoding (CL.TE, TE.CL);
- a length that is not 1*DIGIT (RFC 9110 8.6): signs, lists, hex, nothing (CVE-2023-40225), or has over 18 digits; one
  with leading zeros is forwarded without them;
- a Transfer-Encoding but the one word chunked, once (6.1; CVE-2019-18277, CVE-2022-32213), or in HTTP/1.0;
- no Host, an empty one or two in HTTP/1.1 (3.2), or one that is not host and port: userinfo, commas,
  percent-encoding, a path;
- a target with blanks, control characters or `#` (3.2), or in absolute form with another authority than Host (3.2.2);
- CONNECT: its answer has no body whatever its fields say (RFC 9110 9.3.6);
- an expectation other than 100-continue, or two (RFC 9110 10.1.1); versions other than 1.0 and 1.1;
- a Connection that names fields among more than 256 options, on all its lines;
- what exceeds `Limits` (L1; CVE-2021-40346 is an overlong name); a line's CR LF does not count for the line.

An instance's head that is refused is rewritten, if RFC 9112 allows that and nothing is ambiguous, and read again
(`lenient`).

Skipped, four times at most, is an empty line before a request line (2.2). Not forwarded are hop-by-hop fields and those
that Connection names (RFC 9110 7.6.1), all fields that describe the client (H3), also spelt with `_` (CVE-2024-45614),
and `Proxy` (CVE-2016-5385). Everything else is forwarded byte for byte (H6).

A head whose very bytes were read before comes from `head_cache`. A whole, well-formed one is checked by one regular
expression. Any other is read line by line, so that the first error names the cause, and a head is refused as
soon as no continuation can make it valid. Knows no socket; `fields` has what single fields say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from lb.errors import ProxyError
from lb.http.fields import OF_REQUEST, OF_RESPONSE, FieldNotes
from lb.http.head import Limits, RequestHead, ResponseHead, origin_form, strip_request, strip_response
from lb.http.head_cache import HeadCache
from lb.http.lenient import mend_head

_Head = TypeVar("_Head", RequestHead, ResponseHead)

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_VALUE = rb"[\t\x20-\x7e\x80-\xff]*+"
_TARGET = rb"[\x21\x22\x24-\x7e\x80-\xff]++"
_FIELDS = rb"(?:\r\n" + _TOKEN + rb":" + _VALUE + rb")*+"
_STATUS_LINE = rb"HTTP/1\.(?P<minor>[01]) (?P<status>[1-5][0-9]{2})(?: " + _VALUE + rb")?+"

_whole_request = re.compile(
    rb"(?P<method>(?!CONNECT )" + _TOKEN + rb") (?P<target>" + _TARGET + rb") HTTP/1\.(?P<minor>[01])" + _FIELDS
).fullmatch
_whole_response = re.compile(_STATUS_LINE + _FIELDS).fullmatch
_request_line = re.compile(
    rb"(?P<method>" + _TOKEN + rb") (?P<target>.+) HTTP/(?P<major>.)\.(?P<minor>.)", re.DOTALL
).fullmatch
_status_line = re.compile(_STATUS_LINE).fullmatch
_http_1 = re.compile(rb"HTTP/1\.[01] .{3}.*\r", re.DOTALL).fullmatch
_status = re.compile(rb"[1-5][0-9]{2}[ \r]").match
_method = re.compile(_TOKEN + rb" ").match
_name = re.compile(_TOKEN + rb":").match
_is_value = re.compile(_VALUE).fullmatch
_is_target = re.compile(_TARGET).fullmatch
_odd_path = re.compile(rb"[%\\]|/[/.]").search
_empty_line = re.compile(rb"\n\r?\n").search

_EMPTY_LINES = 8  # bytes of them skipped before a request line


class _UnfinishedError(Exception):
    """The head is incomplete."""


def has_ended(data: bytes | bytearray, start: int, searched: int) -> bool:
    """Whether the head at `start` may have ended after its first `searched` bytes."""
    return _empty_line(data, start + max(searched - 3, 0)) is not None


def _read_request(data: bytes | bytearray, start: int, end: int, limits: Limits) -> RequestHead | None:
    begin = start
    while data.startswith(b"\r\n", begin) and begin - start < _EMPTY_LINES:
        begin += 2
    if end < begin:
        end = data.find(b"\r\n\r\n", begin)
    found = _whole(_whole_request, data, begin, end, limits)
    if found is None:
        head = _request_by_lines(bytes(data[begin : begin + limits.line + limits.total + 4]), limits)
    else:
        head = _request(*found)
        head.length = end + 4 - begin
    if head is not None:
        head.length += begin - start
    return head


def _read_response(data: bytes | bytearray, start: int, end: int, limits: Limits) -> ResponseHead | None:
    try:
        return _read_strictly(data, start, end, limits)
    except ProxyError as error:
        return _mend(bytes(data[start : start + limits.total + 1]), limits, error)


def _mend(data: bytes, limits: Limits, error: ProxyError) -> ResponseHead | None:
    """The head that `data` begins with, read leniently; `error` says what is wrong with it."""
    mended = mend_head(data, limits, error)
    head = _read_strictly(mended.text, 0, mended.text.find(b"\r\n\r\n"), limits)
    if head is not None:
        head.length = mended.length
    return head


def _read_strictly(data: bytes | bytearray, start: int, end: int, limits: Limits) -> ResponseHead | None:
    found = _whole(_whole_response, data, start, end, limits)
    if found is None:
        return _response_by_lines(bytes(data[start : start + limits.line + limits.total + 4]), limits)
    head = _response(*found)
    head.length = end + 4 - start
    return head


REQUESTS: HeadCache[RequestHead] = HeadCache(_read_request)
RESPONSES: HeadCache[ResponseHead] = HeadCache(_read_response)


def scan_request(data: bytes, limits: Limits) -> RequestHead | None:
    """The request head that `data` begins with, or None while it is incomplete.

    Raises `ProxyError`: http_request_error, request_line_too_long, request_header_too_large, expectation_failed,
    http_version_not_supported, method_not_supported.
    """
    return REQUESTS.head_at(data, 0, limits)


def scan_response(data: bytes, limits: Limits) -> ResponseHead | None:
    """The response head that `data` begins with, or None while it is incomplete.

    Raises `ProxyError`: http_protocol_error, http_response_header_section_size.
    """
    return RESPONSES.head_at(data, 0, limits)


def _whole(
    pattern: Callable[[bytes], re.Match[bytes] | None], data: bytes | bytearray, begin: int, end: int, limits: Limits
) -> tuple[bytes, re.Match[bytes], Iterator[bytes]] | None:
    """The start line, its parts, and the field lines of a head that is whole, within limits and well-formed; else None.
    A response may have longer lines than a request: such a one is read line by line, too.
    """
    if end < 0 or end + 4 - begin > limits.total:
        return None
    text = bytes(data[begin:end])
    match = pattern(text)
    if match is None:
        return None
    lines = text.split(b"\r\n")
    if len(lines) - 1 > limits.fields or (len(text) > limits.line and len(max(lines, key=len)) > limits.line):
        return None
    return lines[0], match, iter(lines[1:])


# Line by line


def _request_by_lines(data: bytes, limits: Limits) -> RequestHead | None:
    end = data.find(b"\n")
    if (end if end >= 0 else len(data)) > limits.line + 1:
        raise ProxyError("request_line_too_long")
    if end < 0:
        return None
    if data[end - 1 : end] != b"\r":
        raise _bad("a line does not end with CR LF")
    line = data[: end - 1]
    match = _read_request_line(line)
    lines = _CheckedLines(data, end + 1, limits, limits.line, ("request_header_too_large", "http_request_error"))
    try:
        head = _request(line, match, iter(lines))
    except _UnfinishedError:
        return None
    head.length = lines.end
    return head


def _read_request_line(line: bytes) -> re.Match[bytes]:
    if not _method(line):
        raise _bad("the method is not a token")
    match = _request_line(line)
    if match is None:
        raise _bad("the request line has no HTTP version")
    if match["major"] != b"1" or match["minor"] not in (b"0", b"1"):
        if match["major"].isdigit() and match["minor"].isdigit():
            raise ProxyError("http_version_not_supported")
        raise _bad("the request line has no HTTP version")
    if match["method"] == b"CONNECT":
        raise ProxyError("method_not_supported")
    if not _is_target(match["target"]):
        raise _bad("the request target has a byte that must be encoded")
    return match


def _response_by_lines(data: bytes, limits: Limits) -> ResponseHead | None:
    end = data.find(b"\n")
    if (end if end >= 0 else len(data)) > limits.line + 1:
        raise ProxyError("http_response_header_section_size")
    if end < 0:
        if len(data) >= len(b"HTTP/") and not data.startswith(b"HTTP/"):
            raise _garbled("the response does not begin with HTTP/")
        return None
    if not _http_1(data, 0, end):
        raise _garbled("the status line is not one of HTTP/1.1")
    if not _status(data, 9, end):
        raise _garbled("the status line has no status code from 100 to 599")
    line = data[: end - 1]
    match = _status_line(line)
    if match is None:
        raise _garbled("the reason phrase has a control character")
    lines = _CheckedLines(
        data, end + 1, limits, limits.total, ("http_response_header_section_size", "http_protocol_error")
    )
    try:
        head = _response(line, match, iter(lines))
    except _UnfinishedError:
        return None
    head.length = lines.end
    return head


class _CheckedLines:
    """Field lines up to the empty one, each checked in its turn; `end` is then the position after it."""

    __slots__ = ("_at", "_causes", "_data", "_limits", "_longest", "end")

    def __init__(self, data: bytes, at: int, limits: Limits, longest: int, causes: tuple[str, str]) -> None:
        self._data = data
        self._at = at
        self._limits = limits
        self._longest = longest
        self._causes = causes
        self.end = 0

    def __iter__(self) -> Iterator[bytes]:
        data = self._data
        at = self._at
        fields = 0
        while True:
            end = data.find(b"\n", at)
            self._check_size(at, end + 1 if end >= 0 else len(data), end >= 0)
            if end < 0:
                raise _UnfinishedError
            if data[at : end + 1] == b"\r\n":
                self.end = end + 1
                return
            fields += 1
            self._check_line(data[at:end], fields)
            yield data[at : end - 1]
            at = end + 1

    def _check_size(self, at: int, end: int, ended: bool) -> None:
        if end - at > self._longest + 1 + ended or end > self._limits.total:
            raise ProxyError(self._causes[0])

    def _check_line(self, line: bytes, fields: int) -> None:
        """`line` is without its LF."""
        malformed = self._causes[1]
        if not line.endswith(b"\r"):
            raise ProxyError(malformed, "a line does not end with CR LF")
        if fields > self._limits.fields:
            raise ProxyError(self._causes[0], "too many fields")
        name = _name(line)
        if name is None:
            raise ProxyError(malformed, "a field name is not a token followed by a colon")
        if not _is_value(line, name.end(), len(line) - 1):
            raise ProxyError(malformed, "a field value has a control character")


# The meaning of a head


def _request(line: bytes, match: re.Match[bytes], lines: Iterator[bytes]) -> RequestHead:
    """The head of a request line and its field lines, all well-formed."""
    head = RequestHead()
    head.method, target, minor = match.group("method", "target", "minor")
    head.target = target
    if minor == b"0":
        head.minor = 0
        line = line[:-1] + b"1"  # instances are addressed in HTTP/1.1 (RFC 9110 2.5)
    odd = _odd_path(target)
    if odd is not None:
        head.odd_path = b"?" not in target[: odd.start()]  # only the spelling of the path matters
    if not target.startswith(b"/"):
        head.odd_path = target != b"*"
    seen = FieldNotes(head)
    head.kept = _read_fields(line, lines, seen, OF_REQUEST)
    _conclude_request(head, seen)
    return head


def _conclude_request(head: RequestHead, seen: FieldNotes[RequestHead]) -> None:
    """Decide what only all fields together determine."""
    _check_framing(head, seen.hosts)
    if head.minor == 0 and seen.hosts == 0:
        head.kept += b"Host:\r\n"  # the forwarded request is HTTP/1.1
    if seen.padded:
        head.kept += b"Content-Length: %d\r\n" % head.body_length
    if seen.chain:
        head.forwarded_for = b", ".join(seen.chain)
    head.keep_alive = seen.keeps_alive()
    if head.minor == 1:
        head.upgrade = seen.upgrades()
    if seen.nominated:
        strip_request(head, b",".join(seen.nominated))
    if not head.target.startswith(b"/"):
        if head.target != b"*":
            origin_form(head)
        elif head.method != b"OPTIONS":
            raise _bad("the request target * is for OPTIONS only")
    if head.minor == 1 and not head.host:
        raise _bad("Host is empty")


def _check_framing(head: RequestHead, hosts: int) -> None:
    if hosts > 1:
        raise _bad("Host is given twice")
    if hosts == 0 and head.minor == 1:
        raise _bad("Host is missing")
    if head.chunked and head.minor == 0:
        raise _bad("Transfer-Encoding in an HTTP/1.0 request")
    if head.chunked and head.body_length >= 0:
        raise _bad("both Content-Length and Transfer-Encoding are given")


def _response(line: bytes, match: re.Match[bytes], lines: Iterator[bytes]) -> ResponseHead:
    """The head of a status line and its field lines, all well-formed."""
    head = ResponseHead()
    minor, status = match.group("minor", "status")
    head.status = int(status)
    if minor == b"0":
        head.minor = 0
        line = b"HTTP/1.1" + line[8:]
    if len(line) == len(b"HTTP/1.1 200"):
        line += b" "  # the reason may be empty, but the blank before it is required (section 4)
    seen = FieldNotes(head)
    head.kept = _read_fields(line, lines, seen, OF_RESPONSE)
    if head.chunked and head.body_length >= 0:
        raise _garbled("both Content-Length and Transfer-Encoding are given")
    if head.chunked and head.minor == 0:
        raise _garbled("Transfer-Encoding in an HTTP/1.0 response")
    head.keep_alive = seen.keeps_alive()
    head.upgrade = seen.upgrades()
    if seen.nominated:
        strip_response(head, b",".join(seen.nominated))
    return head


def _read_fields(
    start_line: bytes,
    lines: Iterable[bytes],
    seen: FieldNotes[_Head],
    readers: Mapping[bytes, Callable[[FieldNotes[_Head], bytes, int], bool] | None],
) -> bytes:
    """Pass each field line that matters to its reader; returns the head to be forwarded, after this start line."""
    kept = [start_line]
    place = len(start_line) + 2
    for field in lines:
        name, _, value = field.partition(b":")
        reader = readers[name]
        if reader is not None:
            value = value.lstrip(b" \t")
            if not reader(seen, value.rstrip(b" \t"), place + len(field) - len(value)):
                continue
        kept.append(field)
        place += len(field) + 2
    kept.append(b"")
    return b"\r\n".join(kept)


def _bad(detail: str) -> ProxyError:
    return ProxyError("http_request_error", detail)


def _garbled(detail: str) -> ProxyError:
    return ProxyError("http_protocol_error", detail)
