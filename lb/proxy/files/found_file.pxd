cimport cython

from lb.http.head cimport RequestHead
from lb.proxy.files.open_file cimport OpenFile

cdef class Representation:
    cdef public bytes about, coding, content_type, kept, lines
    cdef public OpenFile file
    cdef public Py_ssize_t size
    cdef public bint streamed
    cdef public object validators

cdef class FoundFile:
    cdef object _compression
    cdef dict _made
    cdef bytes _shared
    cdef public dict coded
    cdef public Py_ssize_t descriptors, weight
    cdef public object grown
    cdef public bytes location
    cdef public double looked
    cdef public tuple offered
    cdef public Representation plain
    @cython.locals(accepted=bytes)
    cpdef Representation choose(self, RequestHead head, bint can_stream)
    cpdef Representation _make(self, bytes coding)
    cpdef keep_from(self, FoundFile before)
