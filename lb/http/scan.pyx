# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Reads a head from bytes in one pass: the compiled twin of `scan.py`, which has the rules.

memchr finds the end of each line; runs of forwarded lines are copied together. `octets.pxi` has what bytes may be, `fields.pxi`
what single fields say; here are lines, start lines, and what only all fields together determine. Rare cases are left to Python
functions of `head`. Knows no socket.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdlib cimport realloc
from libc.string cimport memchr, memcpy, memset

from lb.http.head cimport Limits, RequestHead, ResponseHead

from lb.errors import ProxyError
from lb.http.etags import MARK
from lb.http.head import is_disguised, origin_form, strip_request, strip_response
from lb.http.lenient import mend_head
from lb.http.lists import keep_alive_timeout, passes

cdef Py_ssize_t TOO_LONG = 1 << 62  # a length beyond every limit

cdef char* scratch = NULL
cdef Py_ssize_t scratch_size = 0

cdef struct Reader:
    # A head during the scan. The part to be forwarded is copied to `scratch` up to `out`, and still to be copied from `run` on; the
    # position there of `start + x` is x + shift. `name` and `value` are the field that was read last.
    char* start
    char* at
    char* end
    char* out
    char* run
    Py_ssize_t shift
    Py_ssize_t longest, total, fields   # what is left of the limits
    char* name
    char* value
    Py_ssize_t name_size, value_size
    bint underscore

cdef enum:
    END = 0
    FIELD = 1
    UNFINISHED = 2

include "octets.pxi"
include "fields.pxi"


cdef int _reserve(Py_ssize_t size) except -1:
    global scratch, scratch_size
    cdef char* grown
    if size > scratch_size:
        grown = <char*>realloc(scratch, size)
        if grown == NULL:
            raise MemoryError
        scratch = grown
        scratch_size = size
    return 0


cdef int _refuse(str code, str detail) except -1:
    raise ProxyError(code, detail)  # apart, so that its code does not keep `next_field` from being inlined


cdef object _bad(str detail):
    return ProxyError("http_request_error", detail)


cdef object _garbled(str detail):
    return ProxyError("http_protocol_error", detail)


cdef Py_ssize_t head_end(char* data, Py_ssize_t size, Py_ssize_t searched) noexcept:
    # Whether a line end follows a line end in what has arrived since `searched`: 1 yes, 0 not yet. Bare LF counts: the scan refuses it.
    cdef char* p = data + (searched - 3 if searched > 3 else 0)
    cdef char* end = data + size
    while True:
        p = <char*>memchr(p, 10, end - p)
        if p == NULL:
            return 0
        if p + 1 < end and p[1] == 10:
            return 1
        if p + 2 < end and p[1] == 13 and p[2] == 10:
            return 1
        p += 1


# Lines


cdef inline void begin(Reader* r, char* start, char* end, Limits limits) noexcept:
    memset(r, 0, sizeof(Reader))
    r.start = r.at = r.run = start
    r.end = end
    r.total = limits.total
    r.fields = limits.fields
    r.out = scratch


cdef inline int next_field(Reader* r, str too_large, str malformed) except -1:
    # Reads and checks one field line: FIELD; END for the empty line; UNFINISHED if it is incomplete.
    cdef char* p = r.at
    cdef char* nl = <char*>memchr(p, 10, r.end - p)
    cdef char* q
    cdef char* v
    cdef Py_ssize_t m
    cdef unsigned char marks = 0
    if nl == NULL:
        if r.end - p > r.longest + 1 or r.end - r.start > r.total:
            return _refuse(too_large, "")
        return UNFINISHED
    r.at = nl + 1
    if nl + 1 - r.start > r.total:
        return _refuse(too_large, "")
    if nl - p == 1 and p[0] == 13:
        return END
    if nl - p > r.longest + 1:
        return _refuse(too_large, "")
    if nl == p or (nl - 1)[0] != 13:
        return _refuse(malformed, "a line does not end with CR LF")
    r.fields -= 1
    if r.fields < 0:
        return _refuse(too_large, "too many fields")
    q = p
    while TOKEN[<unsigned char>q[0]]:
        marks |= TOKEN[<unsigned char>q[0]]
        q += 1
    r.underscore = marks & 2
    r.name = p
    r.name_size = q - p
    if q == p or q[0] != c':':
        return _refuse(malformed, "a field name is not a token followed by a colon")
    v = q + 1
    while v[0] == c' ' or v[0] == 9:
        v += 1
    if not is_value(v, nl - 1):
        return _refuse(malformed, "a field value has a control character")
    m = nl - 1 - v
    while m > 0 and (v[m - 1] == c' ' or v[m - 1] == 9):
        m -= 1
    r.value = v
    r.value_size = m if m > 0 else 0
    return FIELD


cdef inline void keep_run(Reader* r, char* end) noexcept:
    # Copies what is forwarded before `end`.
    memcpy(r.out, r.run, end - r.run)
    r.out += end - r.run


cdef inline void leave_out(Reader* r) noexcept:
    # The field that was read last is not forwarded.
    keep_run(r, r.name)
    r.shift -= r.at - r.name
    r.run = r.at


# Requests


cdef RequestHead read_request(char* data, Py_ssize_t size, Limits limits):
    global several
    cdef Reader r
    cdef FieldNotes seen
    cdef char* line = data
    cdef char* version        # of the copied request line, its last digit
    cdef int found
    cdef RequestHead head
    # RFC 9112 2.2: an empty line before the request line is ignored.
    while size - (line - data) >= 2 and line[0] == 13 and line[1] == 10 and line - data < 8:
        line += 2
    _reserve(size + 16)
    begin(&r, line, data + size, limits)
    r.longest = limits.line
    head = _request_line(&r)
    if head is None:
        return None
    version = scratch + (r.at - 3 - line)
    memset(&seen, 0, sizeof(FieldNotes))
    several = None
    while True:
        found = next_field(&r, "request_header_too_large", "http_request_error")
        if found != FIELD:
            break
        if not read_request_field(&r, head, &seen):
            leave_out(&r)
    if found == UNFINISHED:
        return None
    keep_run(&r, r.at - 2)
    version[0] = c'1'  # instances are addressed in HTTP/1.1 (RFC 9110 2.5)
    head.length = r.at - data
    head.kept = text(scratch, r.out - scratch)
    _conclude_request(head, &seen)
    return head


cdef RequestHead _request_line(Reader* r):
    cdef char* p = r.at
    cdef char* nl = <char*>memchr(p, 10, r.end - p)
    cdef char* q
    cdef char* v
    cdef RequestHead head
    if (nl if nl != NULL else r.end) - p > r.longest + 1:
        raise ProxyError("request_line_too_long", "")
    if nl == NULL:
        return None
    if nl == p or (nl - 1)[0] != 13:
        raise _bad("a line does not end with CR LF")
    q = p
    while TOKEN[<unsigned char>q[0]]:
        q += 1
    if q == p or q[0] != c' ':
        raise _bad("the method is not a token")
    v = nl - 10  # " HTTP/1.1\r"
    if v <= q + 1 or v[0] != c' ' or not (v[1] == c'H' and v[2] == c'T' and v[3] == c'T' and v[4] == c'P' and v[5] == c'/' and v[7] == c'.'):
        raise _bad("the request line has no HTTP version")
    if v[6] != c'1' or (v[8] != c'1' and v[8] != c'0'):
        if c'0' <= v[6] <= c'9' and c'0' <= v[8] <= c'9':
            raise ProxyError("http_version_not_supported", "")
        raise _bad("the request line has no HTTP version")
    head = RequestHead.__new__(RequestHead)
    head.body_length = -1
    head.minor = v[8] - c'0'
    head.method = text(p, q - p)
    if head.method == b"CONNECT":
        raise ProxyError("method_not_supported", "")
    q += 1
    head.target = text(q, v - q)
    head.odd_path = is_odd(q, v)
    r.at = nl + 1
    return head


cdef int _conclude_request(RequestHead head, FieldNotes* seen) except -1:
    head.chunked = seen.coded
    if seen.hosts > 1:
        raise _bad("Host is given twice")
    if head.minor == 1:
        if seen.hosts == 0:
            raise _bad("Host is missing")
    else:
        if seen.coded:
            raise _bad("Transfer-Encoding in an HTTP/1.0 request")
        if seen.hosts == 0:
            head.kept += b"Host:\r\n"  # the forwarded request is HTTP/1.1
    if seen.padded:
        head.kept += b"Content-Length: %d\r\n" % head.body_length
    head.keep_alive = keeps_alive(seen, head.minor)
    if seen.coded and head.body_length >= 0:
        raise _bad("both Content-Length and Transfer-Encoding are given")
    if several is not None:
        _conclude_lists(head)
    if not seen.upgrade or head.minor == 0:
        head.upgrade = None
    if head.host is None:
        head.host = b""
    if PyBytes_AS_STRING(head.target)[0] != c'/':
        if head.target == b"*":
            if head.method != b"OPTIONS":
                raise _bad("the request target * is for OPTIONS only")
        else:
            origin_form(head)
    if head.minor == 1 and PyBytes_GET_SIZE(head.host) == 0:
        raise _bad("Host is empty")
    return 0


cdef int _conclude_lists(RequestHead head) except -1:
    cdef bytes nominated = gathered(NOMINATED, None)
    head.upgrade = gathered(PROTOCOL, head.upgrade)
    head.forwarded_for = gathered(CHAIN, head.forwarded_for)
    if nominated is not None:
        strip_request(head, nominated)
    return 0


# Responses


cdef ResponseHead read_response(char* data, Py_ssize_t size, Limits limits):
    cdef bytes text_of_it
    cdef ResponseHead head
    mended = None
    while True:
        try:
            head = _read_strictly(data, size, limits)
            break
        except ProxyError as error:
            if mended is not None:
                raise
            mended = mend_head(text(data, size if size <= limits.total else limits.total + 1), limits, error)
            text_of_it = mended.text
            data = PyBytes_AS_STRING(text_of_it)
            size = PyBytes_GET_SIZE(text_of_it)
    if mended is not None and head is not None:
        head.length = mended.length
    return head


cdef ResponseHead _read_strictly(char* data, Py_ssize_t size, Limits limits):
    global several
    cdef Reader r
    cdef FieldNotes seen
    cdef int found
    cdef ResponseHead head
    _reserve(size + 16)
    begin(&r, data, data + size, limits)
    r.longest = limits.line
    head = _status_line(&r)
    if head is None:
        return None
    r.longest = limits.total  # instances may send long lines
    memset(&seen, 0, sizeof(FieldNotes))
    several = None
    while True:
        found = next_field(&r, "http_response_header_section_size", "http_protocol_error")
        if found != FIELD:
            break
        if not read_response_field(&r, head, &seen):
            leave_out(&r)
    if found == UNFINISHED:
        return None
    keep_run(&r, r.at - 2)
    head.length = r.at - data
    head.kept = text(scratch, r.out - scratch)
    head.chunked = seen.coded
    if seen.coded and head.body_length >= 0:
        raise _garbled("both Content-Length and Transfer-Encoding are given")
    if seen.coded and head.minor == 0:
        raise _garbled("Transfer-Encoding in an HTTP/1.0 response")
    head.keep_alive = keeps_alive(&seen, head.minor)
    if several is not None:
        _conclude_response_lists(head)
    if not seen.upgrade:
        head.upgrade = None
    return head


cdef int _conclude_response_lists(ResponseHead head) except -1:
    cdef bytes nominated = gathered(NOMINATED, None)
    head.upgrade = gathered(PROTOCOL, head.upgrade)
    if nominated is not None:
        strip_response(head, nominated)
    return 0


cdef ResponseHead _status_line(Reader* r):
    # "HTTP/1.1 200 OK\r": the reason may be empty, and so may the blank before it.
    cdef char* p = r.at
    cdef char* nl = <char*>memchr(p, 10, r.end - p)
    cdef ResponseHead head
    if (nl if nl != NULL else r.end) - p > r.longest + 1:
        raise ProxyError("http_response_header_section_size", "")
    if nl == NULL:
        if r.end - p >= 5 and not p[:5] == b"HTTP/":
            raise _garbled("the response does not begin with HTTP/")
        return None
    if nl - p < 13 or (nl - 1)[0] != 13 or not (p[0] == c'H' and p[1] == c'T' and p[2] == c'T' and p[3] == c'P' and p[4] == c'/'
                                                and p[5] == c'1' and p[6] == c'.' and (p[7] == c'1' or p[7] == c'0') and p[8] == c' '):
        raise _garbled("the status line is not one of HTTP/1.1")
    if not (c'1' <= p[9] <= c'5' and c'0' <= p[10] <= c'9' and c'0' <= p[11] <= c'9') or (p[12] != c' ' and p[12] != 13):
        raise _garbled("the status line has no status code from 100 to 599")
    if not is_value(p + 12, nl - 1):
        raise _garbled("the reason phrase has a control character")
    head = ResponseHead.__new__(ResponseHead)
    head.body_length = -1
    head.keep_alive_for = -1
    head.minor = p[7] - c'0'
    head.status = (p[9] - c'0') * 100 + (p[10] - c'0') * 10 + p[11] - c'0'
    memcpy(r.out, b"HTTP/1.1", 8)
    r.out += 8
    r.run = p + 8
    if p[12] == 13:  # the reason may be missing, but the blank before it is required (section 4)
        memcpy(r.out, p + 8, 4)
        r.out[4] = c' '
        r.out += 5
        r.run = p + 12
        r.shift = 1
    r.at = nl + 1
    return head


def scan_request(bytes data not None, Limits limits not None):
    """The compiled twin of `scan.scan_request`."""
    return read_request(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), limits)


def scan_response(bytes data not None, Limits limits not None):
    """The compiled twin of `scan.scan_response`."""
    return read_response(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), limits)
