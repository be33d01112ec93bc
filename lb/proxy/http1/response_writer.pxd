cimport cython

from lb.proxy.http1.message_writer cimport MessageWriter

cdef class ResponseWriter(MessageWriter):
    cdef object _probe
    @cython.locals(end=bytes, text=bytes)
    cpdef head(self, bytes lines, bytes date, bint persistent, bint streamed)
    cpdef _send_at_once(self, bytes head)
