# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Reads a head from bytes in one pass: the compiled twin of `scan.py`, which says the rules.

For each line memchr finds the end; the name's length decides which few names it can be, so most lines cost two table walks and no
comparison; runs of lines that go on are copied together. What is rare is left to Python functions of `head`. Knows no socket.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memchr, memcpy

from .head cimport Limits, RequestHead, ResponseHead

from lb.errors import ProxyError
from lb.http.head import is_disguised, origin_form, strip_request, strip_response

cdef extern from "strings.h":
    int strncasecmp(const char*, const char*, size_t) nogil

cdef extern from *:
    """
    static inline int lb_odd_word(const char *p) {
        /* eight bytes at once: is one below 0x20 or 0x7f?  (a false alarm costs a second look, never a pass) */
        unsigned long long w;
        __builtin_memcpy(&w, p, 8);
        const unsigned long long ones = 0x0101010101010101ULL, high = 0x8080808080808080ULL;
        unsigned long long low = (w - ones * 0x20) & ~w & high;
        unsigned long long x = w ^ (ones * 0x7f);
        unsigned long long del = (x - ones) & ~x & high;
        return (low | del) != 0;
    }
    """
    bint lb_odd_word(const char* p) nogil

# What a byte may be: in a token, in a field value, in a target, in a host.
cdef unsigned char TOKEN[256]
cdef unsigned char VALUE[256]
cdef unsigned char TARGET[256]
cdef unsigned char HOST[256]

cdef void _fill_tables() noexcept:
    cdef int i
    cdef const char* token = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    cdef const char* host = b"-._0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    for i in range(256):
        TOKEN[i] = HOST[i] = 0
        VALUE[i] = (i >= 0x20 and i != 0x7F) or i == 9
        TARGET[i] = i > 0x20 and i != 0x7F and i != c'#'
    i = 0
    while token[i]:
        TOKEN[<unsigned char>token[i]] = 1
        i += 1
    i = 0
    while host[i]:
        HOST[<unsigned char>host[i]] = 1
        i += 1
    # A path that has one of these is looked at again before it is decided on: bit 2 marks them.
    TARGET[c'%'] = TARGET[c'\\'] = TARGET[c'/'] = 3

_fill_tables()

cdef Py_ssize_t TOO_LONG = 1 << 62  # a length beyond every limit

cdef char* scratch = NULL
cdef Py_ssize_t scratch_size = 0


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


cdef object _refused(str code, str detail):
    return ProxyError(code, detail)


cdef object _bad(str detail):
    return ProxyError("http_request_error", detail)


cdef object _garbled(str detail):
    return ProxyError("http_protocol_error", detail)


cdef inline bint same(const char* a, const char* b, Py_ssize_t n) noexcept:
    return strncasecmp(a, b, n) == 0


cdef inline bytes text(const char* p, Py_ssize_t n):
    return PyBytes_FromStringAndSize(p, n)


cdef inline bint is_value(const char* p, const char* end) noexcept:
    while end - p >= 8:
        if lb_odd_word(p):
            break
        p += 8
    while p < end:
        if not VALUE[<unsigned char>p[0]]:
            return False
        p += 1
    return True


cdef inline Py_ssize_t number(const char* p, Py_ssize_t n) noexcept:
    # 1*DIGIT (RFC 9110 8.6), else -1: signs, blanks and lists are no lengths. -2: digits, but more than any length has.
    cdef Py_ssize_t value = 0
    cdef Py_ssize_t i
    if n < 1:
        return -1
    for i in range(n):
        if p[i] < c'0' or p[i] > c'9':
            return -1
        if i < 18:
            value = value * 10 + (p[i] - c'0')
    return value if n <= 18 else -2


cdef bint is_authority(const char* p, Py_ssize_t n) noexcept:
    # uri-host [":" port] with names and addresses as DNS and RFC 3986 3.2.2 have them; no userinfo, no percent-encoding.
    cdef Py_ssize_t i = 0
    cdef Py_ssize_t port
    if n > 0 and p[0] == c'[':
        i = 1
        while i < n and (HOST[<unsigned char>p[i]] or p[i] == c':'):
            i += 1
        if i < 3 or i >= n or p[i] != c']':
            return False
        i += 1
    else:
        while i < n and HOST[<unsigned char>p[i]]:
            i += 1
        if i == 0 and n > 0:
            return False
    if i == n:
        return True
    if p[i] != c':':
        return False
    if i + 1 == n:
        return True
    port = number(p + i + 1, n - i - 1)
    return 0 <= port <= 65535


cdef Py_ssize_t head_end(char* data, Py_ssize_t size, Py_ssize_t searched) noexcept:
    # Whether a line end follows a line end in what has come since `searched`: 1 yes, 0 not yet. Bare LF counts: the scan refuses it.
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


cdef bytes connection_options(const char* p, Py_ssize_t n, bint* close, bint* keep, bint* upgrade):
    # Reads one Connection value; returned if it names fields that are to be dropped (RFC 9110 7.6.1), else None.
    cdef const char* end = p + n
    cdef const char* word
    cdef Py_ssize_t size
    cdef const char* value = p
    cdef bint names = False
    while p < end:
        while p < end and (p[0] == c' ' or p[0] == 9 or p[0] == c','):
            p += 1
        word = p
        while p < end and p[0] != c',':
            p += 1
        size = p - word
        while size and (word[size - 1] == c' ' or word[size - 1] == 9):
            size -= 1
        if size == 0:
            continue
        if size == 10 and same(word, b"keep-alive", 10):
            keep[0] = True
        elif size == 5 and same(word, b"close", 5):
            close[0] = True
        elif size == 7 and same(word, b"upgrade", 7):
            upgrade[0] = True
        elif size == 2 and same(word, b"te", 2):
            pass
        else:
            names = True
    return text(value, n) if names else None


cdef RequestHead read_request(char* data, Py_ssize_t size, Limits limits):
    cdef char* p = data
    cdef char* end = data + size
    cdef char* out
    cdef char* run            # first byte of the lines that go on and are not copied yet
    cdef char* nl
    cdef char* q
    cdef char* v
    cdef char* line
    cdef char* version        # of the copied request line, its last digit
    cdef Py_ssize_t n, m, fields = 0, hosts = 0
    cdef Py_ssize_t shift     # place in kept of data + x is x + shift
    cdef bint keep, te = False, close = False, stay = False, up = False, folded = False, underscore
    cdef unsigned char mark
    cdef bytes named = None, more
    cdef RequestHead head
    # RFC 9112 2.2: an empty line before the request line is ignored.
    while end - p >= 2 and p[0] == 13 and p[1] == 10 and p - data < 8:
        p += 2
    line = p
    nl = <char*>memchr(p, 10, end - p)
    if nl == NULL:
        if end - p > limits.line + 1:
            raise _refused("request_line_too_long", "")
        return None
    if nl - p > limits.line + 1:
        raise _refused("request_line_too_long", "")
    if nl == p or nl[-1] != 13:
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
            raise _refused("http_version_not_supported", "")
        raise _bad("the request line has no HTTP version")
    _reserve(size + 16)
    head = RequestHead.__new__(RequestHead)
    head.body_length = -1
    head.minor = v[8] - c'0'
    head.method = text(p, q - p)
    if head.method == b"CONNECT":
        raise _refused("method_not_supported", "")
    q += 1
    head.target = text(q, v - q)
    if q[0] != c'/' and not (q[0] == c'*' and v - q == 1):
        head.odd_path = True
    # The path, then the query: only the path has spellings that matter.
    while q < v:
        mark = TARGET[<unsigned char>q[0]]
        if mark != 1:
            if mark == 0:
                raise _bad("the request target has a byte that must be encoded")
            if q[0] != c'/' or q[1] == c'/' or q[1] == c'.':
                head.odd_path = True
        elif q[0] == c'?':
            break
        q += 1
    while q < v:
        if not TARGET[<unsigned char>q[0]]:
            raise _bad("the request target has a byte that must be encoded")
        q += 1
    out = scratch
    run = p
    shift = -(p - data)
    version = scratch + (nl - 2 - line)
    p = nl + 1
    while True:
        nl = <char*>memchr(p, 10, end - p)
        if nl == NULL:
            if end - p > limits.line + 1 or end - line > limits.total:
                raise _refused("request_header_too_large", "")
            return None
        n = nl - p
        if n == 1 and p[0] == 13:
            break
        if n > limits.line + 1 or nl + 1 - line > limits.total:
            raise _refused("request_header_too_large", "")
        if n < 1 or nl[-1] != 13:
            raise _bad("a line does not end with CR LF")
        fields += 1
        if fields > limits.fields:
            raise _refused("request_header_too_large", "too many fields")
        q = p
        underscore = False
        while TOKEN[<unsigned char>q[0]]:
            if q[0] == c'_':
                underscore = True
            q += 1
        n = q - p
        if n == 0 or q[0] != c':':
            raise _bad("a field name is not a token followed by a colon")
        v = q + 1
        while v[0] == c' ' or v[0] == 9:
            v += 1
        if not is_value(v, nl - 1):
            raise _bad("a field value has a control character")
        m = nl - 1 - v
        while m > 0 and (v[m - 1] == c' ' or v[m - 1] == 9):
            m -= 1
        if m < 0:
            m = 0
        keep = True
        if underscore:
            keep = not is_disguised(text(p, n))
        elif n == 4:
            if same(p, b"host", 4):
                hosts += 1
                if not is_authority(v, m):
                    raise _bad("Host is not a host and port")
                head.host = text(v, m)
        elif n == 10:
            if same(p, b"connection", 10):
                keep = False
                more = connection_options(v, m, &close, &stay, &up)
                if more is not None:
                    named = more if named is None else named + b"," + more
            elif same(p, b"keep-alive", 10):
                keep = False
            elif same(p, b"user-agent", 10):
                head.agent_at = v - data + shift
                head.agent_size = m
        elif n == 6:
            if same(p, b"accept", 6):
                head.accept_at = v - data + shift
                head.accept_size = m
            elif same(p, b"expect", 6):
                if head.minor == 0:  # RFC 9110 10.1.1: an expectation in an HTTP/1.0 request is ignored
                    keep = False
                elif m != 12 or not same(v, b"100-continue", 12) or head.expect:
                    raise _refused("expectation_failed", "")
                else:
                    head.expect = True
        elif n == 7:
            if same(p, b"referer", 7):
                head.referer_at = v - data + shift
                head.referer_size = m
            elif same(p, b"upgrade", 7):
                keep = False
                head.upgrade = text(v, m) if head.upgrade is None else head.upgrade + b", " + text(v, m)
        elif n == 15:
            if same(p, b"accept-encoding", 15):
                head.encoding_at = v - data + shift
                head.encoding_size = m
            elif same(p, b"x-forwarded-for", 15):
                keep = False
                head.forwarded_for = text(v, m) if head.forwarded_for is None else head.forwarded_for + b", " + text(v, m)
        elif n == 14:
            if same(p, b"content-length", 14):
                if head.body_length >= 0:
                    raise _bad("Content-Length is given twice")
                head.body_length = number(v, m)
                if head.body_length == -2:
                    head.body_length = TOO_LONG
                if head.body_length < 0:
                    raise _bad("Content-Length is not a number")
        elif n == 17:
            if same(p, b"transfer-encoding", 17):
                if te or m != 7 or not same(v, b"chunked", 7):
                    raise _bad("Transfer-Encoding is not chunked")
                te = True
                keep = False
            elif same(p, b"client-cert-chain", 17) or same(p, b"x-forwarded-proto", 17):
                keep = False
                if p[0] == c'x' or p[0] == c'X':
                    head.forwarded_proto = text(v, m)
        elif n == 2:
            keep = not same(p, b"te", 2)
        elif n == 3:
            if same(p, b"via", 3):
                head.passes += _passes(text(v, m))
        elif n == 5:
            if same(p, b"range", 5):
                head.ranged = True
            elif same(p, b"proxy", 5):  # CVE-2016-5385: CGI makes HTTP_PROXY of it
                keep = False
        elif n == 9:
            keep = not (same(p, b"x-real-ip", 9) or same(p, b"forwarded", 9))
        elif n == 11:
            keep = not (same(p, b"client-cert", 11) or same(p, b"x-forwarded", 11))
        elif n == 12:
            if same(p, b"x-request-id", 12):
                if head.request_id is None and _is_request_id(v, m):
                    head.request_id = text(v, m)
                else:
                    keep = False
        elif n == 16:
            keep = not (same(p, b"proxy-connection", 16) or same(p, b"x-forwarded-host", 16))
        elif n == 18:
            keep = not same(p, b"proxy-authenticate", 18)
        elif n == 19:
            keep = not same(p, b"proxy-authorization", 19)
        if keep and n >= 12 and (p[0] | 32) == c'x' and same(p, b"x-forwarded-", 12):
            keep = False
        if not keep:
            memcpy(out, run, p - run)
            out += p - run
            run = nl + 1
            shift -= nl + 1 - p
        p = nl + 1
    p += 2
    if p - line > limits.total:
        raise _refused("request_header_too_large", "")
    memcpy(out, run, p - 2 - run)
    out += p - 2 - run
    version[0] = c'1'  # instances are spoken to in HTTP/1.1 (RFC 9110 2.5)
    head.length = p - data
    head.kept = text(scratch, out - scratch)
    head.chunked = te
    if hosts > 1:
        raise _bad("Host is given twice")
    if head.minor == 1:
        if hosts == 0:
            raise _bad("Host is missing")
        head.keep_alive = not close
    else:
        if te:
            raise _bad("Transfer-Encoding in an HTTP/1.0 request")
        if hosts == 0:
            head.kept += b"Host:\r\n"  # what goes on is HTTP/1.1
        head.keep_alive = stay and not close
    if te and head.body_length >= 0:
        raise _bad("both Content-Length and Transfer-Encoding are given")
    if not up or head.minor == 0:
        head.upgrade = None
    if named is not None:
        strip_request(head, named)
    if head.host is None:
        head.host = b""
    if head.target[0] != c'/':
        if head.target == b"*":
            if head.method != b"OPTIONS":
                raise _bad("the request target * is for OPTIONS only")
        else:
            origin_form(head)
    return head


cdef bint _is_request_id(const char* p, Py_ssize_t n) noexcept:
    # 1 to 128 characters of [A-Za-z0-9._-]+=/: what ids look like, and nothing that a log or a shell could stumble over.
    cdef Py_ssize_t i
    if n < 1 or n > 128:
        return False
    for i in range(n):
        if not (HOST[<unsigned char>p[i]] or p[i] == c'+' or p[i] == c'=' or p[i] == c'/' or p[i] == c':'):
            return False
    return True


cdef Py_ssize_t _passes(bytes via):
    cdef Py_ssize_t count = 0
    for entry in via.split(b","):
        words = entry.split()
        if len(words) >= 2 and words[1].lower() == b"lb":
            count += 1
    return count


cdef ResponseHead read_response(char* data, Py_ssize_t size, Limits limits):
    cdef char* p = data
    cdef char* end = data + size
    cdef char* out
    cdef char* run
    cdef char* nl
    cdef char* q
    cdef char* v
    cdef Py_ssize_t n, m, fields = 0, shift = 0
    cdef bint keep, te = False, close = False, stay = False, up = False
    cdef bytes named = None, more
    cdef ResponseHead head
    nl = <char*>memchr(p, 10, end - p)
    if nl == NULL:
        if end - p > limits.line + 1:
            raise _refused("http_response_header_section_size", "")
        if (end - p >= 5 and not p[:5] == b"HTTP/"):
            raise _garbled("the response does not begin with HTTP/")
        return None
    if nl - p > limits.line + 1:
        raise _refused("http_response_header_section_size", "")
    # "HTTP/1.1 200 OK\r": the reason may be empty, and so may the blank before it.
    if nl - p < 13 or nl[-1] != 13 or not (p[0] == c'H' and p[1] == c'T' and p[2] == c'T' and p[3] == c'P' and p[4] == c'/'
                                           and p[5] == c'1' and p[6] == c'.' and (p[7] == c'1' or p[7] == c'0') and p[8] == c' '):
        raise _garbled("the status line is not one of HTTP/1.1")
    if not (c'1' <= p[9] <= c'9' and c'0' <= p[10] <= c'9' and c'0' <= p[11] <= c'9') or (p[12] != c' ' and p[12] != 13):
        raise _garbled("the status line has no status code")
    if not is_value(p + 12, nl - 1):
        raise _garbled("the reason phrase has a control character")
    _reserve(size + 16)
    head = ResponseHead.__new__(ResponseHead)
    head.body_length = -1
    head.keep_alive_for = -1
    head.minor = p[7] - c'0'
    head.status = (p[9] - c'0') * 100 + (p[10] - c'0') * 10 + p[11] - c'0'
    out = scratch
    memcpy(out, b"HTTP/1.1", 8)
    out += 8
    run = p + 8
    if p[12] == 13:
        memcpy(out, p + 8, 4)
        out[4] = c' '
        out += 5
        run = p + 12
        shift = 1
    p = nl + 1
    while True:
        nl = <char*>memchr(p, 10, end - p)
        if nl == NULL:
            if end - data > limits.total:
                raise _refused("http_response_header_section_size", "")
            return None
        n = nl - p
        if n == 1 and p[0] == 13:
            break
        if nl + 1 - data > limits.total:
            raise _refused("http_response_header_section_size", "")
        if n < 1 or nl[-1] != 13:
            raise _garbled("a line does not end with CR LF")
        fields += 1
        if fields > limits.fields:
            raise _refused("http_response_header_section_size", "too many fields")
        q = p
        while TOKEN[<unsigned char>q[0]]:
            q += 1
        n = q - p
        if n == 0 or q[0] != c':':
            raise _garbled("a field name is not a token followed by a colon")
        v = q + 1
        while v[0] == c' ' or v[0] == 9:
            v += 1
        if not is_value(v, nl - 1):
            raise _garbled("a field value has a control character")
        m = nl - 1 - v
        while m > 0 and (v[m - 1] == c' ' or v[m - 1] == 9):
            m -= 1
        if m < 0:
            m = 0
        keep = True
        if n == 14:
            if same(p, b"content-length", 14):
                if head.body_length >= 0:
                    raise _garbled("Content-Length is given twice")
                head.body_length = number(v, m)
                if head.body_length < 0:
                    raise _garbled("Content-Length is not a number")
        elif n == 12:
            if same(p, b"content-type", 12):
                head.type_at = v - data + shift
                head.type_size = m
        elif n == 17:
            if same(p, b"transfer-encoding", 17):
                if te or m != 7 or not same(v, b"chunked", 7):
                    raise _garbled("Transfer-Encoding is not chunked")
                te = True
                keep = False
        elif n == 10:
            if same(p, b"connection", 10):
                keep = False
                more = connection_options(v, m, &close, &stay, &up)
                if more is not None:
                    named = more if named is None else named + b"," + more
            elif same(p, b"keep-alive", 10):
                keep = False
                head.keep_alive_for = _keep_alive_timeout(text(v, m))
        elif n == 4:
            if same(p, b"date", 4):
                head.dated = True
        elif n == 7:
            if same(p, b"upgrade", 7):
                keep = False
                head.upgrade = text(v, m)
        elif n == 13:
            if same(p, b"cache-control", 13):
                if b"no-transform" in text(v, m).lower():
                    head.no_transform = True
            elif same(p, b"content-range", 13):
                head.ranged = True
        elif n == 16:
            if same(p, b"content-encoding", 16):
                head.encoded = head.encoded or not (m == 8 and same(v, b"identity", 8))
            elif same(p, b"proxy-connection", 16):
                keep = False
        elif n == 2:
            keep = not same(p, b"te", 2)
        elif n == 18:
            keep = not same(p, b"proxy-authenticate", 18)
        if not keep:
            memcpy(out, run, p - run)
            out += p - run
            run = nl + 1
            shift -= nl + 1 - p
        p = nl + 1
    p += 2
    if p - data > limits.total:
        raise _refused("http_response_header_section_size", "")
    memcpy(out, run, p - 2 - run)
    out += p - 2 - run
    head.length = p - data
    head.kept = text(scratch, out - scratch)
    head.chunked = te
    if te and head.body_length >= 0:
        raise _garbled("both Content-Length and Transfer-Encoding are given")
    if te and head.minor == 0:
        raise _garbled("Transfer-Encoding in an HTTP/1.0 response")
    head.keep_alive = not close if head.minor == 1 else stay and not close
    if not up:
        head.upgrade = None
    if named is not None:
        strip_response(head, named)
    return head


cdef Py_ssize_t _keep_alive_timeout(bytes value):
    for part in value.split(b","):
        name, _, seconds = part.partition(b"=")
        if name.strip().lower() == b"timeout" and seconds.strip().isdigit() and len(seconds.strip()) < 6:
            return int(seconds.strip())
    return -1


def scan_request(bytes data, Limits limits):
    """The compiled twin of `scan.scan_request`."""
    return read_request(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), limits)


def scan_response(bytes data, Limits limits):
    """The compiled twin of `scan.scan_response`."""
    return read_response(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), limits)
