# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Decodes header blocks straight to the text of HTTP/1 heads: the compiled twin of `hpack.py`, which has the rules.

The lines of a dynamic table lie one after another in one piece of memory, which grows to 6 KiB and is moved together when its end
is reached, so that an entry costs no allocation. `message_text.pxi` makes a head of the lines. Knows neither frames nor streams.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy, memmove, memset

from lb.http.head cimport Limits, RequestHead, ResponseHead
from lb.http.scan cimport read_request, read_response

from lb.errors import ProxyError
from lb.http import hpack_tables
from lb.http.h2_errors import COMPRESSION_ERROR, ENHANCE_YOUR_CALM, MalformedError, SessionError
from lb.http.head import trailer_fields
from lb.http.hpack_tables import WRONG

cdef extern from "strings.h":
    int strncasecmp(const char*, const char*, size_t) nogil

DEF OVERHEAD = 32           # what an entry or a field counts beyond its bytes
DEF SLACK = 1024            # of a head's text beyond its fields: start line and lines of our own
DEF STATICS = 61
DEF SMALL_ARENA = 512
DEF LARGE_ARENA = 6144      # more than the lines of a full table, so that they are moved together only now and then
DEF LONGEST_INTEGER = 4     # bytes after the first
DEF RESIZES = 2             # in a block: to the smallest size in between, and to the final one (RFC 7541 4.2)

cdef Py_ssize_t TABLE_SIZE = hpack_tables.TABLE_SIZE

include "message_text.pxi"

cdef struct Step:
    unsigned char following, marks, symbol

cdef struct Static:
    char* line
    Py_ssize_t name, value
    int kind

cdef enum:  # marks of a step, as in `hpack_tables`
    EMITS = 1
    FAILS = 2
    ENDS = 4

cdef Step STEPS[4096]
cdef Static STATIC[62]
cdef list _lines = []       # keeps what STATIC points to
cdef Buffer literal_buffer  # the line of a literal field

cdef int _fill_static() except -1:
    cdef int i
    cdef bytes line
    for i in range(4096):
        STEPS[i].following = hpack_tables.HUFFMAN_NEXT[i]
        STEPS[i].marks = hpack_tables.HUFFMAN_MARKS[i]
        STEPS[i].symbol = hpack_tables.HUFFMAN_SYMBOLS[i]
    for i in range(1, STATICS + 1):
        name, value = hpack_tables.STATIC[i - 1]
        line = name + b": " + value + b"\r\n"
        _lines.append(line)
        STATIC[i].line = PyBytes_AS_STRING(line)
        STATIC[i].name = len(name)
        STATIC[i].value = len(value)
        STATIC[i].kind = kind_of(STATIC[i].line, STATIC[i].name)
    return 0

_fill_static()


cdef int broken(str detail) except -1:
    raise SessionError(COMPRESSION_ERROR, detail)


cdef Py_ssize_t read_integer(const unsigned char** at, const unsigned char* end, int prefix) except -1:
    # The integer here (RFC 7541 5.1); moves on.
    cdef const unsigned char* p = at[0]
    cdef Py_ssize_t most = (1 << prefix) - 1
    cdef Py_ssize_t value = p[0] & most
    cdef unsigned char byte
    cdef int place
    p += 1
    if value == most:
        for place in range(LONGEST_INTEGER):
            if p == end:
                return broken("the block ends within an integer")
            byte = p[0]
            value += <Py_ssize_t>(byte & 0x7F) << (7 * place)
            p += 1
            if byte < 0x80:
                at[0] = p
                return value
        return broken("an integer is too large")
    at[0] = p
    return value


cdef Py_ssize_t read_string(const unsigned char** at, const unsigned char* end, char* out) except -1:
    # Copies the string here (RFC 7541 5.2), and moves on; returns its size. There is room for a whole block, decoded.
    cdef Py_ssize_t size
    cdef bint coded
    cdef const unsigned char* p
    cdef const unsigned char* stop
    cdef char* o = out
    cdef Step* step
    cdef unsigned int state = 0
    cdef unsigned char marks = ENDS
    if at[0] == end:
        return broken("the block ends before a string")
    coded = at[0][0] & 0x80
    size = read_integer(at, end, 7)
    p = at[0]
    if size > end - p:
        return broken("the block ends within a string")
    stop = p + size
    at[0] = stop
    if not coded:
        memcpy(out, p, size)
        return size
    while p < stop:
        step = &STEPS[state << 4 | p[0] >> 4]
        marks = step.marks
        o[0] = step.symbol
        o += marks & EMITS
        step = &STEPS[step.following << 4 | p[0] & 15]
        marks |= step.marks
        o[0] = step.symbol
        o += step.marks & EMITS
        if marks & FAILS:
            return broken("a string has a code that is none")
        marks = step.marks
        state = step.following
        p += 1
    if not marks & ENDS:
        return broken("a string ends within a code")
    return o - out


cdef class HpackDecoder:
    def __init__(self, int most_fields=200):
        self.most_fields = most_fields
        self.limit = TABLE_SIZE
        self.scheme = self.protocol = self.priority = b""

    def __dealloc__(self):
        free(self.arena)
        free(self.entries)

    cpdef RequestHead request(self, bytes block, Limits limits, bint ended):
        cdef Message m
        cdef RequestHead head
        if block is None or limits is None:
            raise TypeError("no block, or no limits")
        make_request(self, &m, block, limits, ended)
        head = read_request(text_buffer.data, text_end, limits)
        if ended and head.body_length > 0:
            raise MalformedError("Content-Length is given, and there is no body")
        return head

    cpdef bytes request_text(self, bytes block, Limits limits, bint ended):
        cdef Message m
        if block is None or limits is None:
            raise TypeError("no block, or no limits")
        make_request(self, &m, block, limits, ended)
        return self.text()

    cpdef ResponseHead response(self, bytes block, Limits limits):
        cdef Message m
        if block is None or limits is None:
            raise TypeError("no block, or no limits")
        decode(self, &m, block, RESPONSE, limits)
        conclude(&m)
        memcpy(text_buffer.data + text_end, b"\r\n", 2)
        return read_response(text_buffer.data, text_end + 2, limits)

    cpdef bytes trailers(self, bytes block, Limits limits):
        cdef Message m
        if block is None or limits is None:
            raise TypeError("no block, or no limits")
        decode(self, &m, block, TRAILERS, limits)
        conclude(&m)
        return trailer_fields(self.text(), limits)

    cpdef discard(self, bytes block, Limits limits):
        cdef Message m
        if block is None or limits is None:
            raise TypeError("no block, or no limits")
        decode(self, &m, block, DISCARD, limits)

    cpdef bytes text(self):
        return PyBytes_FromStringAndSize(text_buffer.data, text_end)

    # The table

    cdef int keep(self, const char* line, Py_ssize_t name, Py_ssize_t value, int kind, int fault) except -1:
        cdef Entry* entry
        cdef Py_ssize_t size = name + value + 4
        self.evict(size - 4 + OVERHEAD)
        if size - 4 + OVERHEAD > self.limit:
            return 0  # it is larger than the table, which is empty now (RFC 7541 4.4)
        if self.count == 0:
            self.arena_end = 0
        if self.count == self.room or self.arena_end + size > self.arena_size:
            self.make_room(size)
        entry = &self.entries[self.head & (self.room - 1)]
        entry.at = self.arena_end
        entry.name = name
        entry.value = value
        entry.kind = kind
        entry.fault = fault
        memcpy(self.arena + self.arena_end, line, size)
        self.arena_end += size
        self.head += 1
        self.count += 1
        self.size += size - 4 + OVERHEAD
        return 0

    cdef int make_room(self, Py_ssize_t needed) except -1:
        # Moves all entries to the beginning of memory that has room for a line of this size, and for one entry more.
        cdef unsigned int i, room = self.room
        cdef Entry* entries
        cdef Entry* oldest
        cdef char* grown
        cdef Py_ssize_t size = self.arena_size, begin = 0
        if self.count:
            oldest = &self.entries[(self.head - self.count) & (self.room - 1)]
            begin = oldest.at
        if begin:
            memmove(self.arena, self.arena + begin, self.arena_end - begin)
            self.arena_end -= begin
            for i in range(1, self.count + 1):
                self.entries[(self.head - i) & (self.room - 1)].at -= begin
        if self.arena_end + needed > size - size // 4 and size < LARGE_ARENA:
            size = size * 2 if size else SMALL_ARENA
            while size < self.arena_end + needed:
                size *= 2
            if size > LARGE_ARENA:
                size = LARGE_ARENA
            grown = <char*>realloc(self.arena, size)
            if grown == NULL:
                raise MemoryError
            self.arena = grown
            self.arena_size = size
        if self.count == room:
            room = room * 2 if room else 16
            entries = <Entry*>realloc(NULL, room * sizeof(Entry))
            if entries == NULL:
                raise MemoryError
            for i in range(1, self.count + 1):
                entries[self.count - i] = self.entries[(self.head - i) & (self.room - 1)]
            free(self.entries)
            self.entries = entries
            self.room = room
            self.head = self.count
        return 0

    cdef int resize(self, Py_ssize_t limit) except -1:
        if limit > TABLE_SIZE:
            return broken("the table's size is larger than allowed")
        self.limit = limit
        self.evict(0)
        return 0

    cdef void evict(self, Py_ssize_t needed) noexcept:
        # Makes room for an entry of this size; one that is larger than the table empties it.
        cdef Entry* entry
        while self.count and self.size + needed > self.limit:
            entry = &self.entries[(self.head - self.count) & (self.room - 1)]
            self.size -= entry.name + entry.value + OVERHEAD
            self.count -= 1


cdef int make_request(HpackDecoder decoder, Message* m, bytes block, Limits limits, bint ended) except -1:
    decode(decoder, m, block, REQUEST, limits)
    decoder.scheme = scheme_of(&m.pseudo[SCHEME])
    decoder.protocol = value_of(&m.pseudo[PROTOCOL])
    decoder.priority = value_of(&m.priority)
    decoder.te_trailers = m.te
    conclude(m)
    end_request(m, ended)
    return 0


cdef int decode(HpackDecoder decoder, Message* m, bytes block, int form, Limits limits) except -1:
    cdef const unsigned char* p = <const unsigned char*>PyBytes_AS_STRING(block)
    cdef const unsigned char* end = p + PyBytes_GET_SIZE(block)
    cdef Py_ssize_t index
    cdef Entry* entry
    cdef Static* known
    cdef int resizes = 0
    begin_message(m, form, limits, decoder.most_fields)
    while p < end:
        if p[0] & 0x80:
            index = read_integer(&p, end, 7)
            if index <= STATICS:
                known = &STATIC[index]
                if index == 0:
                    return broken("an index is not in the table")
                add_field(m, known.line, known.name, known.value, known.kind, FINE)
            else:
                index -= STATICS
                if index > decoder.count:
                    return broken("an index is not in the table")
                entry = &decoder.entries[(decoder.head - <unsigned int>index) & (decoder.room - 1)]
                add_field(m, decoder.arena + entry.at, entry.name, entry.value, entry.kind, entry.fault)
        elif p[0] & 0x40:
            read_literal(decoder, m, &p, end, 6)
        elif p[0] & 0x20:
            resizes += 1
            if resizes > RESIZES:
                return broken("the table's size changes too late or too often")
            decoder.resize(read_integer(&p, end, 5))
            continue
        else:
            read_literal(decoder, m, &p, end, 4)
        resizes = RESIZES  # RFC 7541 4.2: at the beginning of a block
    return 0


cdef int read_literal(HpackDecoder decoder, Message* m, const unsigned char** at, const unsigned char* end, int prefix) except -1:
    cdef Py_ssize_t index, n, v
    cdef Entry* entry
    cdef char* line
    cdef int kind, fault
    cdef const unsigned char* begin = at[0]
    reserve(&literal_buffer, (end - begin) * 8 // 5 + TABLE_SIZE + 16)
    line = literal_buffer.data
    index = read_integer(at, end, prefix)
    if index == 0:
        n = read_string(at, end, line)
        kind = kind_of(line, n)
    elif index <= STATICS:
        n = STATIC[index].name
        memcpy(line, STATIC[index].line, n)
        kind = STATIC[index].kind
    else:
        index -= STATICS
        if index > decoder.count:
            return broken("an index is not in the table")
        entry = &decoder.entries[(decoder.head - <unsigned int>index) & (decoder.room - 1)]
        n = entry.name
        memcpy(line, decoder.arena + entry.at, n)
        kind = entry.kind
    line[n] = c':'
    line[n + 1] = c' '
    v = read_string(at, end, line + n + 2)
    line[n + 2 + v] = 13
    line[n + 3 + v] = 10
    fault = fault_of(line + n + 2, v)
    if prefix == 6:
        decoder.keep(line, n, v, kind, fault)
    return add_field(m, line, n, v, kind, fault)
