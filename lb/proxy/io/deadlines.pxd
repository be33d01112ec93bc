from lb.proxy.io.wire cimport Wire

cdef Py_ssize_t _SLOTS

cdef class Deadlines:
    cdef public double now
    cdef list slots
    cdef Py_ssize_t at
    cdef object on_error
    cpdef watch(self, Wire wire, double deadline)
    cpdef forget(self, Wire wire)
    cpdef advance(self, double now)
    cdef _look_at(self, Wire wire, double now)
    cdef _failed(self, Wire wire, object error)
    cdef _place(self, Wire wire)
