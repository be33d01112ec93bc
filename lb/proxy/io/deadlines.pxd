from lb.proxy.downstream cimport Downstream

cdef Py_ssize_t _SLOTS

cdef class Deadlines:
    cdef public double now
    cdef list slots
    cdef Py_ssize_t at
    cdef object on_error
    cpdef watch(self, Downstream wire, double deadline)
    cdef suspend(self, Downstream wire)
    cpdef forget(self, Downstream wire)
    cpdef advance(self, double now)
    cdef _look_at(self, Downstream wire, double now)
    cdef _failed(self, Downstream wire, object error)
    cdef _place(self, Downstream wire)
