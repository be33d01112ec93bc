# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Encodes the lines of HTTP/1 heads as header blocks: the compiled twin of `hpack_encoder.py`, which has the rules.

Blocks are written to memory that the caller has made large enough (`room_for`). Knows no frames.
"""
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memchr, memcmp, memcpy

from lb.http import hpack_tables

cdef extern from "strings.h":
    int strncasecmp(const char*, const char*, size_t) nogil

NO_TABLE = b"\x20"

cdef enum:
    DROPPED = 1          # always
    NOT_IN_REQUESTS = 2
    SECRET = 4

cdef struct Known:
    # A name, its first index in the static table or 0, marks, and the next one of the same hash (-1: none).
    char* name
    Py_ssize_t size
    int index, marks, following

DEF HASHES = 256

cdef Known KNOWN[80]
cdef int FIRST[HASHES]
cdef unsigned char LOWER[256]
cdef bint BLANK[256]        # blanks, and the bytes of a line end
cdef list _names = []   # keeps what KNOWN points to


cdef inline unsigned int hash_of(const unsigned char* name, Py_ssize_t size) noexcept:
    return (name[0] * 7 + name[size - 1] * 3 + name[size // 2] + <unsigned int>size * 31) & (HASHES - 1)


cdef int _fill_tables() except -1:
    cdef int i
    cdef int count = 0
    cdef unsigned int at
    cdef bytes name
    for i in range(256):
        BLANK[i] = i == c' ' or i == 9 or i == 10 or i == 13
        LOWER[i] = i | 0x20 if c'A' <= i <= c'Z' else i
    for i in range(HASHES):
        FIRST[i] = -1
    names = {name: index for index, (name, _) in reversed([*enumerate(hpack_tables.STATIC, 1)])}
    marks = dict.fromkeys(names, 0)
    for name, kind in hpack_tables.NAMES.items():
        if kind == hpack_tables.HOP:
            marks[name] = DROPPED | NOT_IN_REQUESTS
    for name in (b"host", b"te"):
        marks[name] = NOT_IN_REQUESTS
    for name in hpack_tables.SECRET:
        marks[name] = SECRET
    for name in marks:
        _names.append(name)
        KNOWN[count].name = PyBytes_AS_STRING(name)
        KNOWN[count].size = len(name)
        KNOWN[count].index = names.get(name, 0)
        KNOWN[count].marks = marks[name]
        at = hash_of(<unsigned char*>KNOWN[count].name, KNOWN[count].size)
        KNOWN[count].following = FIRST[at]
        FIRST[at] = count
        count += 1
    return 0

_fill_tables()


cdef inline unsigned char* put_integer(unsigned char* out, Py_ssize_t value, int most, int mark) noexcept:
    if value < most:
        out[0] = mark | value
        return out + 1
    out[0] = mark | most
    out += 1
    value -= most
    while value >= 0x80:
        out[0] = (value & 0x7F) | 0x80
        out += 1
        value >>= 7
    out[0] = value
    return out + 1


cdef inline unsigned char* put_string(unsigned char* out, const char* text, Py_ssize_t size) noexcept:
    out = put_integer(out, size, 0x7F, 0)
    memcpy(out, text, size)
    return out + size


cdef unsigned char* put_pseudo(unsigned char* out, int first, int count, int name, const char* value, Py_ssize_t size) noexcept:
    # A pseudo-field: one of `count` entries of the static table from `first` on if one has the value, else the name of one.
    cdef int i
    for i in range(first, first + count):
        if size == PAIR_SIZES[i] and memcmp(value, PAIRS[i], size) == 0:
            out[0] = 0x80 | i
            return out + 1
    out[0] = name
    return put_string(out + 1, value, size)


cdef const char* PAIRS[15]
cdef Py_ssize_t PAIR_SIZES[15]
cdef list _pairs = []

cdef int _fill_pairs() except -1:
    cdef int i
    cdef bytes value
    for i in range(1, 15):
        value = hpack_tables.STATIC[i - 1][1]
        _pairs.append(value)
        PAIRS[i] = PyBytes_AS_STRING(value)
        PAIR_SIZES[i] = len(value)
    return 0

_fill_pairs()


cdef unsigned char* put_line(unsigned char* out, const char* p, const char* end, int dropped) noexcept:
    # The field line from `p` to `end`, which is where its line end begins; nothing if it is one of those that are dropped.
    cdef const char* colon = <const char*>memchr(p, c':', end - p)
    cdef const char* value
    cdef unsigned char* name
    cdef Py_ssize_t size, i
    cdef Known* known
    cdef int at
    cdef int mark = 0
    if colon == NULL:
        return out
    size = colon - p
    value = colon + 1
    while value < end and (value[0] == c' ' or value[0] == 9):
        value += 1
    while end > value and ((end - 1)[0] == c' ' or (end - 1)[0] == 9):
        end -= 1
    # The name is written where it stands if it is a literal.
    name = put_integer(out + 1, size, 0x7F, 0)
    for i in range(size):
        name[i] = LOWER[<unsigned char>p[i]]
    if size:
        at = FIRST[hash_of(name, size)]
        while at >= 0:
            known = &KNOWN[at]
            if known.size == size and memcmp(known.name, name, size) == 0:
                if known.marks & dropped:
                    return out
                if known.marks & SECRET:
                    mark = 0x10
                if known.index:
                    return put_string(put_integer(out, known.index, 0x0F, mark), value, end - value)
                break
            at = known.following
    out[0] = mark
    return put_string(name + size, value, end - value)


cdef unsigned char* put_lines(unsigned char* out, const char* p, const char* end, int dropped) noexcept:
    cdef const char* nl
    cdef const char* stop
    while p < end:
        nl = <const char*>memchr(p, 10, end - p)
        if nl == NULL:
            nl = end
        stop = nl
        if stop > p and (stop - 1)[0] == 13:
            stop -= 1
        out = put_line(out, p, stop, dropped)
        p = nl + 1
    return out


cdef const char* after_line(const char* p, const char* end) noexcept:
    cdef const char* nl = <const char*>memchr(p, 10, end - p)
    return end if nl == NULL else nl + 1


cdef Py_ssize_t put_response(unsigned char* out, bytes lines, bytes more) except -1:
    cdef const char* p = PyBytes_AS_STRING(lines)
    cdef const char* end = p + PyBytes_GET_SIZE(lines)
    cdef unsigned char* o
    if end - p < 12:
        raise ValueError("no status line")
    o = put_pseudo(out, 8, 7, 8, p + 9, 3)
    o = put_lines(o, after_line(p, end), end, DROPPED)
    p = PyBytes_AS_STRING(more)
    return put_lines(o, p, p + PyBytes_GET_SIZE(more), DROPPED) - out


cdef Py_ssize_t put_request(unsigned char* out, bytes head, bytes scheme, bytes more) except -1:
    cdef const char* p = PyBytes_AS_STRING(head)
    cdef const char* end = p + PyBytes_GET_SIZE(head)
    cdef const char* lines = after_line(p, end)
    cdef const char* target
    cdef const char* version
    cdef const char* host
    cdef const char* stop
    cdef unsigned char* o
    target = <const char*>memchr(p, c' ', lines - p)
    version = <const char*>NULL if target == NULL else <const char*>memchr(target + 1, c' ', lines - target - 1)
    if version == NULL:
        raise ValueError("no request line")
    o = put_pseudo(out, 2, 2, 2, p, target - p)
    o = put_pseudo(o, 6, 2, 6, PyBytes_AS_STRING(scheme), PyBytes_GET_SIZE(scheme))
    o = put_pseudo(o, 4, 2, 4, target + 1, version - target - 1)
    host = lines
    while host < end:
        stop = after_line(host, end)
        if stop - host >= 5 and strncasecmp(host, b"host:", 5) == 0:
            host += 5
            while stop > host and BLANK[<unsigned char>(stop - 1)[0]]:
                stop -= 1
            while host < stop and BLANK[<unsigned char>host[0]]:
                host += 1
            if stop > host:
                o = put_pseudo(o, 1, 0, 1, host, stop - host)
            break
        host = stop
    o = put_lines(o, lines, end, NOT_IN_REQUESTS)
    p = PyBytes_AS_STRING(more)
    return put_lines(o, p, p + PyBytes_GET_SIZE(more), DROPPED) - out


cdef Py_ssize_t put_fields(unsigned char* out, bytes lines) except -1:
    cdef const char* p = PyBytes_AS_STRING(lines)
    return put_lines(out, p, p + PyBytes_GET_SIZE(lines), DROPPED) - out


cdef bytes _made(Py_ssize_t size, int kind, bytes lines, bytes scheme, bytes more):
    cdef bytearray out = bytearray(room_for(size))
    cdef unsigned char* o = <unsigned char*>PyByteArray_AS_STRING(out)
    if kind == 0:
        size = put_response(o, lines, more)
    elif kind == 1:
        size = put_request(o, lines, scheme, more)
    else:
        size = put_fields(o, lines)
    return PyBytes_FromStringAndSize(<char*>o, size)


def encode_response(bytes lines not None, bytes more not None):
    """The compiled twin of `hpack_encoder.encode_response`."""
    return _made(len(lines) + len(more), 0, lines, None, more)


def encode_request(bytes head not None, bytes scheme not None, bytes more not None):
    """The compiled twin of `hpack_encoder.encode_request`."""
    return _made(len(head) + len(scheme) + len(more), 1, head, scheme, more)


def encode_fields(bytes lines not None):
    """The compiled twin of `hpack_encoder.encode_fields`."""
    return _made(len(lines), 2, lines, None, None)
