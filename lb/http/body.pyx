# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Where a message's body ends: the compiled twin of `body.py`, which has the rules.

Chunks are decoded in place: payload is moved together, so that the reader sees one span. Knows no socket.
"""
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.string cimport memchr, memmove

from lb.errors import ProxyError
from lb.http import chunk_extensions
from lb.http.head import trailer_fields
from lb.http.lenient import unfolded_section

cdef enum:
    SIZE = 0          # at the first digit of a chunk's size, or within the digits
    EXTENSION = 1     # after ";"
    SIZE_LF = 2
    DATA = 3
    DATA_CR = 4
    DATA_LF = 5
    TRAILER = 6       # at the beginning of a trailer line, or of the empty one

cdef Py_ssize_t EXTENSIONS = 4096  # bytes of chunk extensions allowed in a request, or in a chunk of a response (CVE-2023-39326)
cdef Py_ssize_t UNBOUNDED = 0x7FFFFFFFFFFFFFFF

cdef bytes _steps = chunk_extensions.STEPS
cdef const unsigned char* STEPS = <const unsigned char*>PyBytes_AS_STRING(_steps)
cdef int END = chunk_extensions.END
cdef int CONTROL = chunk_extensions.CONTROL
cdef int BAD = chunk_extensions.BAD
cdef int OF_REQUEST = chunk_extensions.of_request
cdef int OF_INSTANCE = chunk_extensions.of_instance
cdef int AFTER_SIZE = chunk_extensions.AFTER_SIZE

cdef inline int hex_digit(char c) noexcept:
    if c'0' <= c <= c'9':
        return c - c'0'
    if c'a' <= c <= c'f':
        return c - c'a' + 10
    if c'A' <= c <= c'F':
        return c - c'A' + 10
    return -1


cdef object _bad(str detail):
    return ProxyError("http_request_error", detail)


cdef class Body:
    def __init__(self, int kind, Py_ssize_t length, Py_ssize_t cap, limits, bint lenient=False):
        self.kind = kind
        self.left = length
        self.cap = cap if cap >= 0 else UNBOUNDED
        self.limits = limits
        self.lenient = lenient
        self.done = kind == NONE or (kind == LENGTH and length == 0)

    cdef Py_ssize_t read(self, char* data, Py_ssize_t size) except -1:
        # Takes `used` bytes; their payload begins at `data + at`, and its size is the result.
        cdef Py_ssize_t n = size
        self.at = 0
        if self.done:
            self.used = 0
            return 0
        if self.kind == LENGTH:
            if n > self.left:
                n = self.left
            self.left -= n
            if self.left == 0:
                self.done = True
            self.used = n
        elif self.kind == CHUNKED:
            n = self._chunks(data, size)
        else:
            self.used = n
        self.total += n
        if self.total > self.cap:
            raise ProxyError("request_body_too_large")
        return n

    cdef Py_ssize_t _chunks(self, char* data, Py_ssize_t size) except -1:
        cdef char* p = data
        cdef char* end = data + size
        cdef char* out = NULL   # where the next payload byte goes
        cdef char* first = NULL
        cdef Py_ssize_t n
        cdef int digit
        while p < end:
            if self.state == DATA:
                n = end - p
                if n > self.left:
                    n = self.left
                if out == NULL:
                    first = out = p
                elif out != p:
                    memmove(out, p, n)
                out += n
                p += n
                self.left -= n
                if self.left == 0:
                    self.state = DATA_CR
            elif self.state == SIZE:
                digit = hex_digit(p[0])
                if digit >= 0:
                    if self.left == 0 and self.lenient:
                        self._count_extension()
                        self.digits = 0
                    self.digits += 1
                    if self.digits > 15:
                        raise _bad("a chunk size has too many digits")
                    self.left = self.left * 16 + digit
                elif self.digits == 0:
                    raise _bad("a chunk size is not a number")
                elif p[0] == 13:
                    self.state = SIZE_LF
                elif p[0] == c';':
                    self.state = EXTENSION
                    self.extension = OF_INSTANCE if self.lenient else OF_REQUEST
                elif self.lenient and (p[0] == c' ' or p[0] == 9):
                    self.state = EXTENSION
                    self.extension = AFTER_SIZE
                else:
                    raise _bad("a chunk size is not a number")
                p += 1
            elif self.state == SIZE_LF:
                if p[0] != 10:
                    raise _bad("a chunk size does not end with CR LF")
                p += 1
                if self.left == 0:
                    self.state = TRAILER
                else:
                    self.state = DATA
                self.digits = 0
                if self.lenient:
                    self.extensions = 0
            elif self.state == DATA_CR:
                if p[0] != 13:
                    raise _bad("a chunk is longer than its size")
                p += 1
                self.state = DATA_LF
            elif self.state == DATA_LF:
                if p[0] != 10:
                    raise _bad("a chunk is longer than its size")
                p += 1
                self.left = 0
                self.state = SIZE
            elif self.state == EXTENSION:
                self._extend(<unsigned char>p[0])
                p += 1
            else:
                p += self._trailer(p, end)
                if self.done:
                    break
        self.used = p - data
        if first == NULL:
            return 0
        self.at = first - data
        return out - first

    cdef int _extend(self, unsigned char byte) except -1:
        cdef int step
        self._count_extension()
        step = STEPS[self.extension * 256 + byte]
        if step == END:
            self.state = SIZE_LF
        elif step == CONTROL:
            raise _bad("a chunk extension has a control character")
        elif step == BAD:
            raise _bad("what follows a chunk size is not a chunk extension")
        else:
            self.extension = step
        return 0

    cdef int _count_extension(self) except -1:
        self.extensions += 1
        if self.extensions > EXTENSIONS:
            raise _bad("the chunk extensions are too long")
        return 0

    cdef Py_ssize_t _trailer(self, char* p, char* end) except -1:
        # Collects lines up to the empty one, which ends the message.
        cdef char* nl
        cdef char* start = p
        if self.section is None:
            self.section = bytearray()
        while p < end:
            nl = <char*>memchr(p, 10, end - p)
            if nl == NULL:
                self.section += PyBytes_FromStringAndSize(p, end - p)
                p = end
            else:
                self.section += PyBytes_FromStringAndSize(p, nl + 1 - p)
                p = nl + 1
                if self.section == b"\r\n" or self.section.endswith(b"\n\r\n"):
                    section = bytes(self.section[: len(self.section) - 2])
                    self.trailers = trailer_fields(unfolded_section(section) if self.lenient else section, self.limits)
                    self.section = None
                    self.done = True
                    break
                if not self.section.endswith(b"\r\n"):
                    raise _bad("a line does not end with CR LF")
                self.lines += 1
            if len(self.section) > self.limits.total + 2:
                raise ProxyError("request_header_too_large")
            if self.lines > self.limits.fields:
                raise ProxyError("request_header_too_large", "too many fields")
        return p - start

    def feed(self, bytearray data):
        """The compiled twin of `body.Body.feed`."""
        cdef Py_ssize_t n = self.read(PyByteArray_AS_STRING(data), PyByteArray_GET_SIZE(data))
        return bytes(data[self.at : self.at + n]), self.used
