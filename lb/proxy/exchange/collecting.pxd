cimport cython

from lb.http.head cimport RequestHead, is_grpc, with_length, without_expectation
from lb.routing.environment cimport Environment

from lb.proxy.buffering.body_buffer cimport BodyBuffer
from lb.proxy.buffering.request_buffers cimport RequestBuffers
from lb.proxy.exchange.attempt cimport Attempt
from lb.proxy.exchange.request_body cimport RequestBody

# Constants of these types; those of other modules are imported into them.
cdef int BUFFERING_AUTO, BUFFERING_OFF, COLLECTING, DECIDING
cdef Py_ssize_t KEPT, _LARGEST
cdef double _PAUSE
cdef bytes CONTINUE

cdef class Collecting(Attempt):
    @cython.locals(head=RequestHead, environment=Environment, mode=int)
    cdef bint _is_collected(self) except -1
    @cython.locals(buffers=RequestBuffers, limit=Py_ssize_t, length=Py_ssize_t)
    cdef _collect(self)
    @cython.locals(request=RequestBody, takes_more=bint)
    cdef _collect_more(self)
    @cython.locals(request=RequestBody)
    cpdef collected_was_written(self, int error)
    cdef _not_stored(self, int error)
    @cython.locals(head=RequestHead, request=RequestBody)
    cdef _collected(self)
    cdef _stream(self)
    cdef _choose_instance(self)
    cdef bint _may_stream(self) except -1
    cdef _late(self)
