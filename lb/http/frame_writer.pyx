# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Writes the frames of HTTP/2 for one connection: the compiled twin of `frame_writer.py`, which describes it.

Blocks are encoded in memory that all writers share, and copied to the frames of one.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from lb.http.frames cimport CONTINUATION, DATA, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE
from lb.http.hpack_encoder cimport put_fields, put_request, put_response, room_for

DEF HEAD = 9
DEF MOST = 16384
DEF END_STREAM = 0x1
DEF ACK = 0x1
DEF END_HEADERS = 0x4
DEF SMALL = 512         # bytes of memory to begin with
DEF KEPT = 1024         # and as many as an idle connection may keep

cdef unsigned char* scratch = NULL
cdef Py_ssize_t scratch_size = 0


cdef unsigned char* room_in_scratch(Py_ssize_t size) except NULL:
    global scratch, scratch_size
    cdef unsigned char* grown
    if size > scratch_size:
        grown = <unsigned char*>realloc(scratch, size)
        if grown == NULL:
            raise MemoryError
        scratch = grown
        scratch_size = size
    return scratch


cdef inline void put_number(char* out, unsigned long number) noexcept:
    out[0] = <char>(number >> 24)
    out[1] = <char>(number >> 16)
    out[2] = <char>(number >> 8)
    out[3] = <char>number


cdef class FrameWriter:
    def __dealloc__(self):
        free(self.out)

    cpdef bytes take(self):
        cdef bytes taken = PyBytes_FromStringAndSize(self.out, self.pending)
        self.clear()
        return taken

    cdef clear(self):
        self.pending = 0
        if self.out_size > KEPT:
            free(self.out)
            self.out = NULL
            self.out_size = 0

    cpdef response(self, long stream, bytes lines, bytes more, bint ended):
        cdef unsigned char* block
        if lines is None or more is None:
            raise TypeError("no lines")
        block = room_in_scratch(room_for(PyBytes_GET_SIZE(lines) + PyBytes_GET_SIZE(more)))
        self.put_block(stream, <char*>block, put_response(block + 1, lines, more), ended)

    cpdef request(self, long stream, bytes head, bytes scheme, bytes more, bint ended):
        cdef unsigned char* block
        if head is None or scheme is None or more is None:
            raise TypeError("no lines")
        block = room_in_scratch(room_for(PyBytes_GET_SIZE(head) + PyBytes_GET_SIZE(scheme) + PyBytes_GET_SIZE(more)))
        self.put_block(stream, <char*>block, put_request(block + 1, head, scheme, more), ended)

    cpdef trailers(self, long stream, bytes lines):
        cdef unsigned char* block
        if lines is None:
            raise TypeError("no lines")
        if PyBytes_GET_SIZE(lines) == 0:
            self.data_head(stream, 0, True)
            return
        block = room_in_scratch(room_for(PyBytes_GET_SIZE(lines)))
        self.put_block(stream, <char*>block, put_fields(block + 1, lines), True)

    cpdef data(self, long stream, bytes payload, bint ended):
        if payload is None:
            raise TypeError("no payload")
        self.put_data(stream, PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload), ended)

    cpdef data_head(self, long stream, Py_ssize_t size, bint ended):
        if not 0 <= size <= MOST:
            raise ValueError("a frame would be too large")
        self.put_frame(DATA, END_STREAM if ended else 0, stream, size, 0)

    cpdef settings(self, tuple entries):
        cdef char* out
        cdef unsigned long key, value
        if entries is None:
            raise TypeError("no entries")
        pairs = b"".join([(key).to_bytes(2, "big") + (value).to_bytes(4, "big") for key, value in entries])
        out = self.put_frame(SETTINGS, 0, 0, len(pairs), len(pairs))
        memcpy(out, PyBytes_AS_STRING(pairs), len(pairs))

    cpdef settings_ack(self):
        self.put_frame(SETTINGS, ACK, 0, 0, 0)

    cpdef ping(self, bytes payload, bint ack):
        if payload is None or PyBytes_GET_SIZE(payload) != 8:
            raise ValueError("a PING has eight bytes")
        memcpy(self.put_frame(PING, ACK if ack else 0, 0, 8, 8), PyBytes_AS_STRING(payload), 8)

    cpdef goaway(self, long last_stream, long code, bytes debug):
        cdef char* out
        cdef Py_ssize_t size
        if debug is None:
            raise TypeError("no debug data")
        size = PyBytes_GET_SIZE(debug)
        out = self.put_frame(GOAWAY, 0, 0, 8 + size, 8 + size)
        put_number(out, last_stream)
        put_number(out + 4, code)
        memcpy(out + 8, PyBytes_AS_STRING(debug), size)

    cpdef reset(self, long stream, long code):
        put_number(self.put_frame(RST_STREAM, 0, stream, 4, 4), code)

    cpdef window_update(self, long stream, long increment):
        put_number(self.put_frame(WINDOW_UPDATE, 0, stream, 4, 4), increment)

    cdef int put_data(self, long stream, const char* payload, Py_ssize_t size, bint ended) except -1:
        if not 0 <= size <= MOST:
            raise ValueError("a frame would be too large")
        memcpy(self.put_frame(DATA, END_STREAM if ended else 0, stream, size, size), payload, size)
        return 0

    cdef int put_block(self, long stream, const char* block, Py_ssize_t size, bint ended) except -1:
        # A whole header block, which begins at the second byte: the first one says once that there is no table.
        cdef int kind = HEADERS
        cdef int flags = END_STREAM if ended else 0
        cdef char* first = <char*>block
        if self.begun:
            block += 1
        else:
            self.begun = True
            first[0] = 0x20
            size += 1
        while size > MOST:
            memcpy(self.put_frame(kind, flags, stream, MOST, MOST), block, MOST)
            block += MOST
            size -= MOST
            kind = CONTINUATION
            flags = 0
        memcpy(self.put_frame(kind, flags | END_HEADERS, stream, size, size), block, size)
        return 0

    cdef char* put_frame(self, int kind, int flags, long stream, Py_ssize_t size, Py_ssize_t after) except NULL:
        # The head of a frame with `size` bytes of payload, and room for `after` bytes, which is returned.
        cdef Py_ssize_t needed = self.pending + HEAD + after
        cdef Py_ssize_t room = self.out_size
        cdef char* out
        if needed > room:
            room = room * 2 if room else SMALL
            if room < needed:
                room = needed
            out = <char*>realloc(self.out, room)
            if out == NULL:
                raise MemoryError
            self.out = out
            self.out_size = room
        out = self.out + self.pending
        out[0] = <char>(size >> 16)
        out[1] = <char>(size >> 8)
        out[2] = <char>size
        out[3] = <char>kind
        out[4] = <char>flags
        put_number(out + 5, stream)
        self.pending = needed
        return out + HEAD
