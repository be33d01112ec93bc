# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The unread bytes of a connection: the compiled twin of `read_buffer.py`, which describes its methods.

While events are handled they stay in the poller's shared buffer, at `data`; only an incomplete rest gets memory of its own, so an
idle connection owns no buffer.
"""
from cpython.buffer cimport PyBUF_READ
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memmove

from lb.http.body cimport Body
from lb.http.frame_writer cimport FrameWriter
from lb.http.frames cimport FrameReader
from lb.http.head cimport Limits, RequestHead, ResponseHead
from lb.http.scan cimport head_end, read_request, read_response

from lb.proxy.io.poller cimport Watched

DEF SLACK = 2048  # what a rest may occupy beyond its size


# A compiled method accepts None for an object of any class, and would read invalid memory: it is checked first.

cdef class ReadBuffer(Watched):
    def __dealloc__(self):
        free(self.rest)

    cpdef fill(self, bytes data):
        cdef Py_ssize_t size
        if data is None:
            raise TypeError("no data")
        size = PyBytes_GET_SIZE(data)
        if size == 0:
            return
        if self.have == 0:
            self.data = self.rest
        self.make_room(size)
        memcpy(self.data + self.have, PyBytes_AS_STRING(data), size)
        self.have += size

    cpdef RequestHead scan_request(self, Limits limits):
        cdef RequestHead head
        if limits is None:
            raise TypeError("no limits")
        # A head is scanned when it has begun and when it is complete, so a slow one costs no more than its bytes.
        if self.searched and self.have <= limits.total and not head_end(self.data, self.have, self.searched):
            self.searched = self.have
            return None
        head = read_request(self.data, self.have, limits)
        if head is None:
            self.searched = self.have
        else:
            self.searched = 0
            self.drop(head.length)
        return head

    cpdef ResponseHead scan_response(self, Limits limits):
        cdef ResponseHead head
        if limits is None:
            raise TypeError("no limits")
        if self.searched and self.have <= limits.total and not head_end(self.data, self.have, self.searched):
            self.searched = self.have
            return None
        head = read_response(self.data, self.have, limits)
        if head is None:
            self.searched = self.have
        else:
            self.searched = 0
            self.drop(head.length)
        return head

    cpdef drop(self, Py_ssize_t n):
        self.data += n
        self.have -= n

    cpdef Py_ssize_t read_body(self, Body body) except -1:
        cdef Py_ssize_t n
        if body is None:
            raise TypeError("no body")
        n = body.read(self.data, self.have)
        self.span = self.data + body.at
        self.ready = n
        self.data += body.used
        self.have -= body.used
        return n

    cpdef Py_ssize_t read_up_to(self, Py_ssize_t n) except -1:
        if n > self.have:
            n = self.have
        self.span = self.data
        self.ready = n
        self.data += n
        self.have -= n
        return n

    cpdef Py_ssize_t read_raw(self) except -1:
        self.span = self.data
        self.ready = self.have
        self.data += self.have
        self.have = 0
        return self.ready

    cpdef int read_frame(self, FrameReader frames) except -2:
        cdef int kind
        if frames is None:
            raise TypeError("no reader of frames")
        kind = frames.read(self.data, self.have)
        self.span = self.data + frames.at
        self.ready = frames.size
        self.data += frames.used
        self.have -= frames.used
        return kind

    cpdef write_frame(self, FrameWriter writer, long stream, Py_ssize_t n, bint ended):
        if writer is None:
            raise TypeError("no writer of frames")
        if n > self.ready:
            n = self.ready
        writer.put_data(<unsigned int>stream, self.span, n, ended)
        self.span += n
        self.ready -= n

    cpdef borrow(self, ReadBuffer source):
        cdef Py_ssize_t n
        if source is None:
            raise TypeError("no source")
        n = source.ready
        if self.have:
            self.gather(source)
        elif n:
            self.data = source.span
            self.have = n
            source.ready = 0

    cpdef settle(self):
        self.keep()

    cpdef gather(self, ReadBuffer source):
        cdef Py_ssize_t n
        if source is None:
            raise TypeError("no source")
        n = source.ready
        source.ready = 0
        if n == 0:
            return
        if self.have == 0:
            self.data = self.rest
        self.make_room(n)
        memcpy(self.data + self.have, source.span, n)
        self.have += n

    cpdef bytes take_ready(self):
        cdef bytes taken = PyBytes_FromStringAndSize(self.span, self.ready)
        self.ready = 0
        return taken

    cpdef object view(self, Py_ssize_t n):
        return PyMemoryView_FromMemory(self.data, n, PyBUF_READ)

    cpdef free_if_empty(self):
        # Nothing is left to read: an idle connection owns no buffer.
        if self.have == 0 and self.rest != NULL:
            free(self.rest)
            self.rest = NULL
            self.rest_size = 0
            self.data = NULL

    cdef int make_room(self, Py_ssize_t room) except -1:
        # Moves the rest to the beginning of memory of our own, with room after it.
        cdef char* grown
        cdef Py_ssize_t size
        if self.rest != NULL and self.data >= self.rest and self.data < self.rest + self.rest_size:
            if self.data != self.rest:
                memmove(self.rest, self.data, self.have)
                self.data = self.rest
            if self.rest_size - self.have >= room:
                return 0
            size = self.rest_size * 2 if self.rest_size * 2 > self.have + room else self.have + room
            grown = <char*>realloc(self.rest, size)
            if grown == NULL:
                raise MemoryError
        else:
            size = self.have + room
            grown = <char*>malloc(size)
            if grown == NULL:
                raise MemoryError
            if self.have:
                memcpy(grown, self.data, self.have)
            free(self.rest)
        self.rest = grown
        self.rest_size = size
        self.data = grown
        return 0

    cdef int keep(self) except -1:
        # After the handling of events: from here on others use the shared buffer.
        self.ready = 0
        if self.have == 0:
            if self.rest != NULL:
                free(self.rest)
                self.rest = NULL
                self.rest_size = 0
            self.data = NULL
        else:
            self.make_room(0)
            if self.rest_size - self.have > SLACK:
                # A client that drips a head byte by byte occupies no more than it sent.
                self.data = <char*>realloc(self.rest, self.have)
                if self.data == NULL:
                    self.data = self.rest
                else:
                    self.rest = self.data
                    self.rest_size = self.have
        return 0
