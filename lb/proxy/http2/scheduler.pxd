from lb.proxy.http2.flow cimport Flow

cdef int _ASIDE

cdef class Scheduler:
    cdef list _order
    cdef int _frames
    cdef readonly Py_ssize_t count
    cpdef add(self, Flow flow)
    cpdef remove(self, Flow flow)
    cpdef Flow turn(self)
    cpdef went(self, Flow flow)
