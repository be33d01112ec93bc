# What the fields of an HTTP/2 message are as the text of an HTTP/1 head: part of `hpack.pyx`, and the twin of `message_text.py`,
# which describes it. The text is made in memory that all decoders share: it is read, or copied, before the next one begins.

cdef enum:
    REQUEST = 0
    RESPONSE = 1
    TRAILERS = 2
    DISCARD = 3

cdef enum:  # what a name means, as in `hpack_tables`
    PLAIN = 0
    METHOD = 1
    SCHEME = 2
    AUTHORITY = 3
    PATH = 4
    PROTOCOL = 5
    STATUS = 6
    HOST = 7
    COOKIE = 8
    TE = 9
    LENGTH = 10
    PRIORITY = 11
    UNKNOWN = 12
    HOP = 13
    BAD = 14

cdef enum:  # what is wrong with a message, as there
    FINE = 0
    NAME = 1
    VALUE = 2
    BLANK = 3
    HOP_BY_HOP = 4
    LATE = 5
    TWICE = 6
    UNKNOWN_PSEUDO = 7
    NO_METHOD = 8
    NO_SCHEME = 9
    NO_PATH = 10
    NOT_A_METHOD = 11
    NOT_A_PATH = 12
    TE_OTHER = 13
    HOSTS = 14
    OTHER_HOST = 15
    CONNECT_PARTS = 16
    PROTOCOL_PARTS = 17
    IN_TRAILERS = 18
    NO_STATUS = 19
    DISCARDED = 20

cdef struct Buffer:
    char* data
    Py_ssize_t size

cdef struct Piece:
    # Bytes in `aside`; `at` is -1 for none.
    Py_ssize_t at, size

cdef struct Message:
    int form, wrong
    bint begun, large, te, has_length, has_host
    Py_ssize_t size, count, most, most_fields
    Py_ssize_t aside, crumbs
    Piece pseudo[7]
    Piece priority

cdef Buffer text_buffer     # the lines, up to `text_end`
cdef Buffer aside_buffer    # values of pseudo-fields and of `priority`
cdef Buffer crumbs_buffer   # the line of all cookies
cdef Py_ssize_t text_end = 0

cdef unsigned char IN_NAME[256]   # 1: of a name over HTTP/2; 2: of a token, besides
cdef unsigned char IN_VALUE[256]

cdef void _fill_tables() noexcept:
    cdef int i
    cdef const char* small = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
    for i in range(256):
        IN_NAME[i] = 2 if c'A' <= i <= c'Z' else 0
        IN_VALUE[i] = (i >= 0x20 and i != 0x7F) or i == 9
    i = 0
    while small[i]:
        IN_NAME[<unsigned char>small[i]] = 3
        i += 1

_fill_tables()


cdef int reserve(Buffer* buffer, Py_ssize_t size) except -1:
    cdef char* grown
    if buffer.size < size:
        grown = <char*>realloc(buffer.data, size)
        if grown == NULL:
            raise MemoryError
        buffer.data = grown
        buffer.size = size
    return 0


# Fields


cdef int kind_of(const char* p, Py_ssize_t n) noexcept:
    cdef Py_ssize_t i
    if n > 0 and p[0] == c':':
        if n == 5 and memcmp(p, b":path", 5) == 0:
            return PATH
        if n == 7:
            if memcmp(p, b":method", 7) == 0:
                return METHOD
            if memcmp(p, b":scheme", 7) == 0:
                return SCHEME
            if memcmp(p, b":status", 7) == 0:
                return STATUS
        if n == 9 and memcmp(p, b":protocol", 9) == 0:
            return PROTOCOL
        if n == 10 and memcmp(p, b":authority", 10) == 0:
            return AUTHORITY
        return UNKNOWN
    for i in range(n):
        if not IN_NAME[<unsigned char>p[i]] & 1:
            return BAD
    if n == 0:
        return BAD
    if n == 2 and memcmp(p, b"te", 2) == 0:
        return TE
    if n == 4 and memcmp(p, b"host", 4) == 0:
        return HOST
    if n == 6 and memcmp(p, b"cookie", 6) == 0:
        return COOKIE
    if n == 7 and memcmp(p, b"upgrade", 7) == 0:
        return HOP
    if n == 8 and memcmp(p, b"priority", 8) == 0:
        return PRIORITY
    if n == 10 and (memcmp(p, b"connection", 10) == 0 or memcmp(p, b"keep-alive", 10) == 0):
        return HOP
    if n == 14 and memcmp(p, b"content-length", 14) == 0:
        return LENGTH
    if n == 16 and memcmp(p, b"proxy-connection", 16) == 0:
        return HOP
    if n == 17 and memcmp(p, b"transfer-encoding", 17) == 0:
        return HOP
    return PLAIN


cdef int fault_of(const char* p, Py_ssize_t n) noexcept:
    cdef Py_ssize_t i
    for i in range(n):
        if not IN_VALUE[<unsigned char>p[i]]:
            return VALUE
    if n and (p[0] == c' ' or p[0] == 9 or p[n - 1] == c' ' or p[n - 1] == 9):
        return BLANK
    return FINE


cdef int begin_message(Message* m, int form, Limits limits, int most_fields) except -1:
    global text_end
    cdef int i
    memset(m, 0, sizeof(Message))
    m.form = form
    m.most = limits.total
    m.most_fields = most_fields if most_fields < limits.fields else limits.fields
    m.begun = form == TRAILERS
    m.wrong = DISCARDED if form == DISCARD else FINE
    for i in range(7):
        m.pseudo[i].at = -1
    m.priority.at = -1
    text_end = 0
    # What is copied there was counted before.
    reserve(&text_buffer, limits.total + SLACK)  # each by itself: there may have been no memory for one of them
    reserve(&aside_buffer, limits.total + SLACK)
    reserve(&crumbs_buffer, limits.total + SLACK)
    return 0


cdef int too_many(Message* m) except -1:
    m.large = True
    if m.size > 2 * m.most:
        raise SessionError(ENHANCE_YOUR_CALM, "the fields are more than twice as large as their limit")
    return 0


cdef inline int add_field(Message* m, const char* line, Py_ssize_t n, Py_ssize_t v, int kind, int fault) except -1:
    # The next field: its line, the sizes of its name and value, what its name means, and what is wrong with its value.
    global text_end
    m.size += n + v + OVERHEAD
    m.count += 1
    if m.size > m.most or m.count > m.most_fields:
        too_many(m)
    if m.wrong or m.large:
        return 0
    if kind == PLAIN and fault == FINE:
        if not m.begun:
            begin_text(m)
            if m.wrong:
                return 0
        memcpy(text_buffer.data + text_end, line, n + v + 4)
        text_end += n + v + 4
    else:
        m.wrong = special_field(m, line, n, v, kind, fault)
    return 0


cdef void put(const char* data, Py_ssize_t size) noexcept:
    global text_end
    memcpy(text_buffer.data + text_end, data, size)
    text_end += size


cdef void put_aside(Message* m, Piece* piece, const char* data, Py_ssize_t size) noexcept:
    piece.at = m.aside
    piece.size = size
    memcpy(aside_buffer.data + m.aside, data, size)
    m.aside += size


cdef int special_field(Message* m, const char* line, Py_ssize_t n, Py_ssize_t v, int kind, int fault) noexcept:
    # Takes a field that means something; returns what is wrong with it.
    cdef const char* value = line + n + 2
    if fault:
        return fault
    if kind <= STATUS or kind == UNKNOWN:
        if m.form == TRAILERS:
            return IN_TRAILERS
        if m.begun:
            return LATE
        if kind == UNKNOWN or (kind == STATUS) != (m.form == RESPONSE):
            return UNKNOWN_PSEUDO
        if m.pseudo[kind].at >= 0:
            return TWICE
        put_aside(m, &m.pseudo[kind], value, v)
        return FINE
    if kind == BAD:
        return NAME
    if kind == HOP:
        return HOP_BY_HOP
    if not m.begun:
        begin_text(m)
        if m.wrong:
            return m.wrong
    if m.form == REQUEST:
        if kind == COOKIE:
            if m.crumbs == 0:
                memcpy(crumbs_buffer.data, b"cookie: ", 8)
                m.crumbs = 8
            else:
                memcpy(crumbs_buffer.data + m.crumbs, b"; ", 2)
                m.crumbs += 2
            memcpy(crumbs_buffer.data + m.crumbs, value, v)
            m.crumbs += v
            return FINE
        if kind == TE:
            m.te = True
            return FINE if v == 8 and strncasecmp(value, b"trailers", 8) == 0 else TE_OTHER
        if kind == HOST:
            if m.has_host:
                return HOSTS
            m.has_host = True
            if m.pseudo[AUTHORITY].at >= 0:
                if m.pseudo[AUTHORITY].size != v or strncasecmp(aside_buffer.data + m.pseudo[AUTHORITY].at, value, v) != 0:
                    return OTHER_HOST
                return FINE
        elif kind == LENGTH:
            m.has_length = True
        elif kind == PRIORITY:
            put_aside(m, &m.priority, value, v)
    put(line, n + v + 4)
    return FINE


# The start line


cdef void begin_text(Message* m) noexcept:
    # The pseudo-fields are over.
    m.wrong = status_line(m) if m.form == RESPONSE else request_line(m)
    m.begun = m.wrong == FINE


cdef int status_line(Message* m) noexcept:
    cdef char* p = aside_buffer.data + m.pseudo[STATUS].at
    if m.pseudo[STATUS].at < 0 or m.pseudo[STATUS].size != 3:
        return NO_STATUS
    if not (c'1' <= p[0] <= c'5' and c'0' <= p[1] <= c'9' and c'0' <= p[2] <= c'9'):
        return NO_STATUS
    put(b"HTTP/1.1 ", 9)
    put(p, 3)
    put(b" \r\n", 3)
    return FINE


cdef bint is_token(const char* p, Py_ssize_t n) noexcept:
    cdef Py_ssize_t i
    for i in range(n):
        if not IN_NAME[<unsigned char>p[i]]:
            return False
    return n > 0


cdef int request_line(Message* m) noexcept:
    cdef Piece* pieces = m.pseudo
    cdef char* method = aside_buffer.data + pieces[METHOD].at
    cdef char* target = aside_buffer.data + pieces[PATH].at
    cdef Py_ssize_t size = pieces[METHOD].size
    if pieces[METHOD].at < 0:
        return NO_METHOD
    if not is_token(method, size):
        return NOT_A_METHOD
    if pieces[PROTOCOL].at >= 0:
        if not is_connect(method, size) or pieces[AUTHORITY].at < 0:
            return PROTOCOL_PARTS
        if not is_token(aside_buffer.data + pieces[PROTOCOL].at, pieces[PROTOCOL].size):
            return PROTOCOL_PARTS
        method = b"GET"
        size = 3
    elif is_connect(method, size):
        if pieces[AUTHORITY].at < 0 or pieces[PATH].at >= 0 or pieces[SCHEME].at >= 0:
            return CONNECT_PARTS
        put(b"CONNECT ", 8)
        put(aside_buffer.data + pieces[AUTHORITY].at, pieces[AUTHORITY].size)
        put(b" HTTP/1.1\r\n", 11)
        return FINE
    if pieces[SCHEME].at < 0:
        return NO_SCHEME
    if pieces[PATH].at < 0 or pieces[PATH].size == 0:
        return NO_PATH
    if target[0] != c'/' and not (target[0] == c'*' and pieces[PATH].size == 1):
        return NOT_A_PATH
    put(method, size)
    put(b" ", 1)
    put(target, pieces[PATH].size)
    put(b" HTTP/1.1\r\n", 11)
    if pieces[AUTHORITY].at >= 0:
        put(b"Host: ", 6)
        put(aside_buffer.data + pieces[AUTHORITY].at, pieces[AUTHORITY].size)
        put(b"\r\n", 2)
    return FINE


cdef inline bint is_connect(const char* p, Py_ssize_t n) noexcept:
    return n == 7 and memcmp(p, b"CONNECT", 7) == 0


# The end


cdef int conclude(Message* m) except -1:
    # All fields are read.
    if not m.begun and not m.wrong:
        begin_text(m)
    if m.wrong and m.wrong != DISCARDED:
        raise MalformedError(WRONG[m.wrong])
    if m.large and m.form != DISCARD:
        raise ProxyError(
            "request_header_too_large" if m.form != RESPONSE else "http_response_header_section_size",
            f"over HTTP/2 the limits are {m.most} bytes (limits.header_total), with {OVERHEAD} more for each "
            f"field, and {m.most_fields} fields",
        )
    return 0


cdef void end_request(Message* m, bint ended) noexcept:
    if m.crumbs:  # RFC 9113 8.2.3
        put(crumbs_buffer.data, m.crumbs)
        put(b"\r\n", 2)
    if m.pseudo[PROTOCOL].at >= 0:
        put(b"Upgrade: ", 9)
        put(aside_buffer.data + m.pseudo[PROTOCOL].at, m.pseudo[PROTOCOL].size)
        put(b"\r\nConnection: Upgrade\r\n", 23)
    elif not ended and not m.has_length:
        put(b"Transfer-Encoding: chunked\r\n", 28)
    put(b"\r\n", 2)


cdef bytes value_of(Piece* piece):
    if piece.at < 0:
        return b""
    return PyBytes_FromStringAndSize(aside_buffer.data + piece.at, piece.size)


cdef bytes scheme_of(Piece* piece):
    # As `value_of`; no object is made of the usual ones.
    cdef char* p = aside_buffer.data + piece.at
    if piece.at >= 0 and piece.size == 5 and memcmp(p, b"https", 5) == 0:
        return b"https"
    if piece.at >= 0 and piece.size == 4 and memcmp(p, b"http", 4) == 0:
        return b"http"
    return value_of(piece)
