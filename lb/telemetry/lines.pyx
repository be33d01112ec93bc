# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Access-log lines: the compiled twin of `lines.py`, which has the formats. Writes a line in one pass: 0.3 µs instead of 3."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdlib cimport realloc
from libc.string cimport memcpy

from lb.telemetry.record cimport Record

cdef extern from *:
    """
    static inline int lb_odd_log_word(const unsigned char *p) {
        /* eight bytes at once: is one below 0x20, above 0x7e, a quote or a backslash?  (a false alarm costs a second look) */
        unsigned long long w;
        __builtin_memcpy(&w, p, 8);
        const unsigned long long ones = 0x0101010101010101ULL, high = 0x8080808080808080ULL;
        unsigned long long quote = w ^ (ones * 0x22), backslash = w ^ (ones * 0x5c), del = w ^ (ones * 0x7f);
        unsigned long long odd = (w - ones * 0x20) | (quote - ones) | (backslash - ones) | (del - ones) | w;
        return (odd & high) != 0;
    }
    """
    bint lb_odd_log_word(const unsigned char* p) nogil

cdef char* line = NULL
cdef Py_ssize_t size = 0
cdef Py_ssize_t at = 0

cdef unsigned char ODD[256]  # bytes that are escaped
cdef const char* HEX = "0123456789abcdef"


cdef void _fill_table() noexcept:
    cdef int i
    for i in range(256):
        ODD[i] = i < 0x20 or i >= 0x7F or i == c'"' or i == c'\\'

_fill_table()


cdef int _room(Py_ssize_t need) except -1:
    global line, size
    cdef char* grown
    if at + need > size:
        grown = <char*>realloc(line, (at + need) * 2)
        if grown == NULL:
            raise MemoryError
        line = grown
        size = (at + need) * 2
    return 0


cdef inline void _put(const char* text, Py_ssize_t n) noexcept:
    global at
    memcpy(line + at, text, n)
    at += n


cdef inline void _number(Py_ssize_t value) noexcept:
    global at
    cdef char digits[24]
    cdef int n = 24
    if value < 0:
        value = 0
    while True:
        n -= 1
        digits[n] = <char>(c'0' + value % 10)
        value //= 10
        if value == 0:
            break
    _put(digits + n, 24 - n)


cdef inline void _seconds(double value) noexcept:
    global at
    cdef Py_ssize_t micros = <Py_ssize_t>(value * 1e6 + 0.5)
    cdef Py_ssize_t rest = micros % 1000000
    cdef int i
    _number(micros // 1000000)
    line[at] = c'.'
    for i in range(6):
        line[at + 6 - i] = <char>(c'0' + rest % 10)
        rest //= 10
    at += 7


cdef int _escaped(bytes value, bint json) except -1:
    # The value with odd bytes escaped: \u00XX (JSON) or \xXX (combined).
    global at
    cdef const unsigned char* p
    cdef const unsigned char* end
    cdef unsigned char c
    if value is None:
        return 0
    p = <const unsigned char*>PyBytes_AS_STRING(value)
    end = p + PyBytes_GET_SIZE(value)
    _room((end - p) * 6 + 512)
    while p < end:
        if end - p >= 8 and not lb_odd_log_word(p):
            memcpy(line + at, p, 8)
            at += 8
            p += 8
            continue
        c = p[0]
        p += 1
        if not ODD[c]:
            line[at] = <char>c
            at += 1
        elif json and (c == c'"' or c == c'\\'):
            line[at] = c'\\'
            line[at + 1] = <char>c
            at += 2
        else:
            if json:
                _put("\\u00", 4)
            else:
                _put("\\x", 2)
            line[at] = HEX[c >> 4]
            line[at + 1] = HEX[c & 15]
            at += 2
    return 0


cdef inline int _value(const char* name, Py_ssize_t n, bytes value) except -1:
    # ,"name":"value" or ,"name":null
    global at
    _put(name, n)
    if value is None or PyBytes_GET_SIZE(value) == 0:
        _put("null", 4)
        return 0
    line[at] = c'"'
    at += 1
    _escaped(value, True)
    line[at] = c'"'
    at += 1
    return 0


cdef int _other_version(int minor) except -1:
    # Corrects what was written: "HTTP/1.1" and its closing quote.
    global at
    if minor == 0:
        line[at - 2] = c'0'
    else:
        at -= 4
        _put('2"', 2)
    return 0


cpdef bytes json_line(Record record, bytes time):
    """The compiled twin of `lines.json_line`."""
    global at
    at = 0
    _room(2048)
    _put('{"time":"', 9)
    _put(PyBytes_AS_STRING(time), PyBytes_GET_SIZE(time))
    _put('"', 1)
    _value(',"client":', 10, record.client)
    _value(',"method":', 10, record.method)
    _value(',"host":', 8, record.host)
    _value(',"target":', 10, record.target)
    if record.method:
        _put(',"protocol":"HTTP/1.1"', 22)
        if record.minor != 1:
            _other_version(record.minor)
    else:
        _put(',"protocol":null', 16)
    _put(',"status":', 10)
    _number(record.status)
    _put(',"bytes_sent":', 14)
    _number(record.sent)
    _put(',"bytes_received":', 18)
    _number(record.received)
    _put(',"duration":', 12)
    _seconds(record.duration)
    _value(',"app":', 7, record.app)
    _value(',"environment":', 15, record.environment)
    _value(',"instance":', 12, record.instance)
    if record.cause is None:
        _put(',"cause":null', 13)
    else:
        _value(',"cause":', 9, record.cause.encode())
        if record.detail:
            _value(',"detail":', 10, record.detail)
    _value(',"request_id":', 14, record.request_id)
    _value(',"scheme":', 10, record.scheme)
    _value(',"user_agent":', 14, record.user_agent)
    _value(',"referer":', 11, record.referer)
    _put('}\n', 2)
    return PyBytes_FromStringAndSize(line, at)


cpdef bytes combined_line(Record record, bytes time):
    """The compiled twin of `lines.combined_line`."""
    global at
    at = 0
    _room(2048)
    _escaped(record.client, False)
    _put(' - - [', 6)
    _put(PyBytes_AS_STRING(time), PyBytes_GET_SIZE(time))
    _put('] "', 3)
    if record.method:
        _escaped(record.method, False)
        _put(' ', 1)
        _escaped(record.target, False)
        _put(' HTTP/1.1' if record.minor == 1 else ' HTTP/1.0' if record.minor == 0 else ' HTTP/2.0', 9)
    else:
        _put('-', 1)
    _put('" ', 2)
    _number(record.status)
    _put(' ', 1)
    _number(record.sent)
    _put(' "', 2)
    if record.referer:
        _escaped(record.referer, False)
    else:
        _put('-', 1)
    _put('" "', 3)
    if record.user_agent:
        _escaped(record.user_agent, False)
    else:
        _put('-', 1)
    _put('"\n', 2)
    return PyBytes_FromStringAndSize(line, at)
