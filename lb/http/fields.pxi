# What single fields say about their message: part of `scan.pyx`, and the twin of `fields.py`. The length of a name decides which few
# names it can be, so most fields cost no comparison. A reader notes what a field says, refuses an invalid value, and returns whether
# the field is forwarded.

cdef struct FieldNotes:
    # What the fields have said so far, besides the head itself. `padded`: Content-Length has leading zeros.
    Py_ssize_t hosts
    bint coded, close, stay, upgrade, padded

# Fields that may have many lines: the names in Connection, and all lines after the first of X-Forwarded-For and Upgrade. They are
# joined once, at the end: one by one, a thousand of them would cost a millisecond.
cdef list several = None  # of (kind, value)

cdef enum:
    NOMINATED = 0
    CHAIN = 1
    PROTOCOL = 2


cdef bytes gather(int kind, bytes first, const char* v, Py_ssize_t m):
    # Notes one more line of a kind; the first one is returned instead.
    global several
    if first is None:
        return text(v, m)
    if several is None:
        several = []
    several.append((kind, text(v, m)))
    return first


cdef bytes gathered(int kind, bytes first):
    # All lines of a kind as one list, after the first one.
    parts = [] if first is None else [first]
    parts += [value for one, value in several if one == kind]
    return b", ".join(parts) if parts else None


cdef int read_connection(const char* p, Py_ssize_t n, FieldNotes* seen) except -1:
    # Reads one Connection value; kept if it names fields to be dropped (RFC 9110 7.6.1).
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
            seen.stay = True
        elif size == 5 and same(word, b"close", 5):
            seen.close = True
        elif size == 7 and same(word, b"upgrade", 7):
            seen.upgrade = True
        elif size == 2 and same(word, b"te", 2):
            pass
        else:
            names = True
    if names:
        gather(NOMINATED, b"", value, n)
    return 0


cdef inline bint keeps_alive(FieldNotes* seen, int minor) noexcept:
    return not seen.close and (seen.stay or minor == 1)


cdef int read_coding(const char* v, Py_ssize_t m, FieldNotes* seen, str malformed) except -1:
    if seen.coded or m != 7 or not same(v, b"chunked", 7):
        raise ProxyError(malformed, "Transfer-Encoding is not chunked")
    seen.coded = True
    return 0


cdef Py_ssize_t read_length(const char* v, Py_ssize_t m, Py_ssize_t before, FieldNotes* seen, str malformed) except -1:
    # Leading zeros are not forwarded: some read such a number as octal.
    cdef Py_ssize_t length
    cdef Py_ssize_t zeros = 0
    if before >= 0:
        raise ProxyError(malformed, "Content-Length is given twice")
    while zeros < m - 1 and v[zeros] == c'0':
        zeros += 1
    length = number(v + zeros, m - zeros)
    if length == -1:
        raise ProxyError(malformed, "Content-Length is not a number")
    seen.padded = zeros > 0
    return length if length >= 0 else TOO_LONG


cdef inline int read_request_field(Reader* r, RequestHead head, FieldNotes* seen) except -1:
    # Returns whether the field is forwarded.
    cdef char* p = r.name
    cdef char* v = r.value
    cdef Py_ssize_t n = r.name_size
    cdef Py_ssize_t m = r.value_size
    if r.underscore:
        return not is_disguised(text(p, n))
    if n == 4:
        if same(p, b"host", 4):
            seen.hosts += 1
            if not is_authority(v, m):
                raise _bad("Host is not a host and port")
            head.host = text(v, m)
    elif n == 10:
        if same(p, b"connection", 10):
            read_connection(v, m, seen)
            return False
        if same(p, b"keep-alive", 10):
            return False
        if same(p, b"user-agent", 10):
            head.agent_at = v - r.start + r.shift
            head.agent_size = m
    elif n == 6:
        if same(p, b"accept", 6):
            head.accept_again = head.accept_at > 0
            head.accept_at = v - r.start + r.shift
            head.accept_size = m
        elif same(p, b"expect", 6):
            if head.minor == 0:  # RFC 9110 10.1.1: an expectation in an HTTP/1.0 request is ignored
                return False
            if m != 12 or not same(v, b"100-continue", 12) or head.expect:
                raise ProxyError("expectation_failed", "")
            head.expect = True
    elif n == 7:
        if same(p, b"referer", 7):
            head.referer_at = v - r.start + r.shift
            head.referer_size = m
        elif same(p, b"upgrade", 7):
            head.upgrade = gather(PROTOCOL, head.upgrade, v, m)
            return False
    elif n == 15:
        if same(p, b"accept-encoding", 15):
            head.encoding_again = head.encoding_at > 0
            head.encoding_at = v - r.start + r.shift
            head.encoding_size = m
        elif same(p, b"x-forwarded-for", 15):
            head.forwarded_for = gather(CHAIN, head.forwarded_for, v, m)
            return False
    elif n == 14:
        if same(p, b"content-length", 14):
            head.body_length = read_length(v, m, head.body_length, seen, "http_request_error")
            return not seen.padded
    elif n == 17:
        if same(p, b"transfer-encoding", 17):
            read_coding(v, m, seen, "http_request_error")
            return False
        if same(p, b"client-cert-chain", 17):
            return False
        if same(p, b"x-forwarded-proto", 17):
            head.forwarded_proto = text(v, m)
            return False
    elif n == 2 and same(p, b"te", 2):
        return False
    elif n == 2 or n == 8 or n == 13:
        read_condition(p, n, v, m, head)
    elif n == 3:
        if same(p, b"via", 3):
            head.passes += passes(text(v, m))
    elif n == 5:
        if same(p, b"range", 5):
            head.ranged = True
        else:
            return not same(p, b"proxy", 5)  # CVE-2016-5385: CGI turns it into HTTP_PROXY
    elif n == 9:
        return not (same(p, b"x-real-ip", 9) or same(p, b"forwarded", 9))
    elif n == 11:
        return not (same(p, b"client-cert", 11) or same(p, b"x-forwarded", 11))
    elif n == 12 and same(p, b"x-request-id", 12):
        if head.request_id is not None or not is_request_id(v, m):
            return False
        head.request_id = text(v, m)
    elif n == 16 and same(p, b"proxy-connection", 16):
        return False
    elif n == 18 and same(p, b"proxy-authenticate", 18):
        return False
    elif n == 19 and same(p, b"proxy-authorization", 19):
        return False
    return not (n >= 12 and (p[0] | 32) == c'x' and same(p, b"x-forwarded-", 12))


cdef int read_condition(const char* p, Py_ssize_t n, const char* v, Py_ssize_t m, RequestHead head) except -1:
    # If, If-Match, If-Range and If-None-Match: does it contain one of our tags?
    cdef bint one
    if n == 8:
        one = same(p, b"if-match", 8) or same(p, b"if-range", 8)
    else:
        one = same(p, b"if-none-match", n)  # all of it, or "if" alone
    if one and MARK in text(v, m):
        head.tagged = True
    return 0


cdef inline int read_response_field(Reader* r, ResponseHead head, FieldNotes* seen) except -1:
    # Returns whether the field is forwarded.
    cdef char* p = r.name
    cdef char* v = r.value
    cdef Py_ssize_t n = r.name_size
    cdef Py_ssize_t m = r.value_size
    if n == 14:
        if same(p, b"content-length", 14):
            head.body_length = read_length(v, m, head.body_length, seen, "http_protocol_error")
            if seen.padded or head.body_length == TOO_LONG:
                raise _garbled("Content-Length has too many digits")
    elif n == 12:
        if same(p, b"content-type", 12):
            head.type_at = v - r.start + r.shift
            head.type_size = m
    elif n == 17:
        if same(p, b"transfer-encoding", 17):
            read_coding(v, m, seen, "http_protocol_error")
            return False
    elif n == 10:
        if same(p, b"connection", 10):
            read_connection(v, m, seen)
            return False
        if same(p, b"keep-alive", 10):
            if head.keep_alive_for < 0:
                head.keep_alive_for = keep_alive_timeout(text(v, m))
            return False
    elif n == 4:
        if same(p, b"date", 4):
            head.dated = True
    elif n == 7:
        if same(p, b"upgrade", 7):
            head.upgrade = gather(PROTOCOL, head.upgrade, v, m)
            return False
    elif n == 13:
        if same(p, b"cache-control", 13):
            if b"no-transform" in text(v, m).lower():
                head.no_transform = True
        elif same(p, b"content-range", 13):
            head.ranged = True
    elif n == 16:
        if same(p, b"content-encoding", 16):
            head.encoded = head.encoded or not (m == 8 and same(v, b"identity", 8))
        else:
            return not same(p, b"proxy-connection", 16)
    elif n == 2:
        return not same(p, b"te", 2)
    elif n == 18:
        return not same(p, b"proxy-authenticate", 18)
    return True
