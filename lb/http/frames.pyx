# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Reads the frames of HTTP/2 from bytes: the compiled twin of `frames.py`, which has the rules.

Payload of DATA stays where it is; of other frames, bytes are made of what is asked for. Knows neither connections nor streams.
"""
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

from lb.http import h2_errors
from lb.http.h2_errors import SessionError

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
MOST_IN_A_FRAME = 16384
FRAME_HEAD = 9

DEF HEAD = 9
DEF MOST = 16384
DEF MOST_CONTINUATIONS = 8
DEF LAST_STREAM = 0x7FFFFFFF
DEF F_END_STREAM = 0x1
DEF F_ACK = 0x1
DEF F_END_HEADERS = 0x4
DEF F_PADDED = 0x8
DEF F_PRIORITY = 0x20

cdef int FRAME_SIZE_ERROR = h2_errors.FRAME_SIZE_ERROR
cdef int PROTOCOL_ERROR = h2_errors.PROTOCOL_ERROR
cdef int ENHANCE_YOUR_CALM = h2_errors.ENHANCE_YOUR_CALM


cdef int wrong(str detail) except -1:
    raise SessionError(PROTOCOL_ERROR, detail)


cdef int misfit() except -1:
    raise SessionError(FRAME_SIZE_ERROR, "a frame has a wrong size")


cdef int flood(str detail) except -1:
    raise SessionError(ENHANCE_YOUR_CALM, detail)


cdef inline long number(const unsigned char* p) noexcept:
    return (<long>p[0] << 24) | (p[1] << 16) | (p[2] << 8) | p[3]


cdef class FrameReader:
    def __init__(self, Py_ssize_t most_block=65536):
        self.most_block = most_block
        self.kind = INCOMPLETE
        self.payload = b""

    def feed(self, data, Py_ssize_t start):
        """The compiled twin of `frames.FrameReader.feed`."""
        cdef char* begin
        cdef Py_ssize_t size
        if isinstance(data, bytearray):
            begin = PyByteArray_AS_STRING(data)
            size = PyByteArray_GET_SIZE(data)
        elif isinstance(data, bytes):
            begin = PyBytes_AS_STRING(data)
            size = PyBytes_GET_SIZE(data)
        else:
            raise TypeError("no bytes")
        if not 0 <= start <= size:
            raise ValueError("no place in them")
        return self.read(begin + start, size - start)

    cdef int read(self, char* data, Py_ssize_t size) except -2:
        # The next event in these bytes.
        cdef Py_ssize_t at = 0
        cdef Py_ssize_t length
        cdef int kind, flags
        cdef const unsigned char* p
        self.at = self.size = self.fault = 0
        self.begins = self.end_stream = False
        self.kind = INCOMPLETE
        self.payload = b""  # an idle connection keeps no head
        if self.left or self.padding_left:
            at = self.take_data(0, size)
            if self.kind == DATA:
                self.used = at
                return DATA
        while size - at >= HEAD:
            p = <const unsigned char*>data + at
            length = (p[0] << 16) | (p[1] << 8) | p[2]
            kind = p[3]
            if length > MOST:
                raise SessionError(FRAME_SIZE_ERROR, "a frame is larger than allowed")
            flags = p[4]
            self.check_order(kind, flags, number(p + 5) & LAST_STREAM)
            if kind == DATA:
                if flags & F_PADDED and length and size - at == HEAD:
                    break
                self.padding = 0
                self.left = length
                self.padding_left = 0
                at += HEAD
                if flags & F_PADDED:
                    if length == 0 or p[HEAD] >= length:
                        wrong("a frame has more padding than payload")
                    self.padding_left = p[HEAD]
                    self.padding = self.padding_left + 1
                    self.left -= self.padding
                    at += 1
                self.begins = True
                self.length = length
                self.ends = flags & F_END_STREAM
                at = self.take_data(at, size)
            elif size - at - HEAD < length:
                break
            else:
                self.take_frame(kind, flags, length, p + HEAD)
                at += HEAD + length
            if self.kind != INCOMPLETE:
                break
        self.used = at
        return self.kind

    cdef int check_order(self, int kind, int flags, long stream) except -1:
        if not self.has_settings:
            if kind != SETTINGS or flags & F_ACK:
                return wrong("the first frame is not SETTINGS")
            self.has_settings = True
        if self.in_block:
            if kind != CONTINUATION or stream != self.stream:
                return wrong("a head is interrupted by another frame")
        elif kind == CONTINUATION:
            return wrong("a CONTINUATION frame continues nothing")
        if stream == 0:
            if kind <= RST_STREAM or kind == CONTINUATION:
                return wrong("a frame is on a stream where it may not be")
        elif kind == SETTINGS or kind == PING or kind == GOAWAY or kind == PRIORITY_UPDATE:
            return wrong("a frame is on a stream where it may not be")
        self.stream = stream
        return 0

    cdef Py_ssize_t take_data(self, Py_ssize_t at, Py_ssize_t end) noexcept:
        # Takes what has come of a DATA frame's payload and padding; returns the place after it.
        cdef Py_ssize_t begin = at
        cdef Py_ssize_t size = self.left if self.left < end - at else end - at
        cdef Py_ssize_t padding = 0
        at += size
        self.left -= size
        if not self.left:
            padding = self.padding_left if self.padding_left < end - at else end - at
        at += padding
        self.padding_left -= padding
        self.end_stream = self.ends and not self.left and not self.padding_left
        if size or self.begins or self.end_stream:
            self.kind = DATA
            self.size = size
            self.at = begin if size else 0
        return at

    cdef int take_frame(self, int kind, int flags, Py_ssize_t length, const unsigned char* body) except -1:
        self.length = length
        if kind == HEADERS:
            self.take_headers(flags, length, body)
        elif kind == WINDOW_UPDATE or kind == RST_STREAM:
            if length != 4:
                misfit()
            self.value = number(body)
            if kind == WINDOW_UPDATE:
                self.value &= LAST_STREAM
                if self.value == 0:
                    if self.stream == 0:
                        wrong("a window is updated by nothing")
                    self.fault = PROTOCOL_ERROR
        elif kind == CONTINUATION:
            self.take_continuation(flags, length, body)
            kind = HEADERS
        elif kind == SETTINGS:
            self.ack = flags & F_ACK
            if length % 6 or (self.ack and length):
                misfit()
            self.payload = PyBytes_FromStringAndSize(<char*>body, length)
        elif kind == PING:
            if length != 8:
                misfit()
            self.ack = flags & F_ACK
            self.payload = PyBytes_FromStringAndSize(<char*>body, 8)
        elif kind == PRIORITY:
            if length != 5:
                self.fault = FRAME_SIZE_ERROR
            elif number(body) & LAST_STREAM == self.stream:
                self.fault = PROTOCOL_ERROR
        elif kind == GOAWAY:
            if length < 8:
                misfit()
            self.last_stream = number(body) & LAST_STREAM
            self.value = number(body + 4)
            self.payload = PyBytes_FromStringAndSize(<char*>body + 8, length - 8)
        elif kind == PRIORITY_UPDATE:
            if length < 4:
                misfit()
            self.value = number(body) & LAST_STREAM
            if self.value == 0:
                wrong("a priority is that of no stream")
            self.payload = PyBytes_FromStringAndSize(<char*>body + 4, length - 4)
        elif kind == PUSH_PROMISE:
            wrong("a PUSH_PROMISE frame came from where none may come")
        else:
            kind = UNKNOWN
        if not self.in_block:
            self.kind = kind
        return 0

    cdef int take_headers(self, int flags, Py_ssize_t length, const unsigned char* body) except -1:
        cdef Py_ssize_t begin = 0
        cdef Py_ssize_t end = length
        if flags & F_PADDED:
            if length == 0:
                return misfit()
            end -= body[0]
            begin = 1
        if flags & F_PRIORITY:
            if length - begin < 5:
                return misfit()
            if number(body + begin) & LAST_STREAM == self.stream:
                self.fault = PROTOCOL_ERROR
            begin += 5
        if begin > end:
            return wrong("a frame has more padding than payload")
        self.fragments = 0
        self.ends = flags & F_END_STREAM
        if end - begin > self.most_block:
            return flood("a head is larger than allowed")
        if flags & F_END_HEADERS:
            self.end_stream = self.ends
            self.payload = PyBytes_FromStringAndSize(<char*>body + begin, end - begin)
        else:
            self.in_block = True
            self.block = bytearray(PyBytes_FromStringAndSize(<char*>body + begin, end - begin))
            self.faulty = self.fault
        return 0

    cdef int take_continuation(self, int flags, Py_ssize_t length, const unsigned char* body) except -1:
        self.fragments += 1
        if self.fragments > MOST_CONTINUATIONS:
            return flood("a head has too many CONTINUATION frames")
        if length == 0 and not flags & F_END_HEADERS:
            return flood("a CONTINUATION frame is empty")
        if len(self.block) + length > self.most_block:
            return flood("a head is larger than allowed")
        self.block += PyBytes_FromStringAndSize(<char*>body, length)
        if flags & F_END_HEADERS:
            self.in_block = False
            self.end_stream = self.ends
            self.fault = self.faulty
            self.payload = bytes(self.block)
            self.block = None
        return 0
