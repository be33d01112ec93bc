from lb.routing.route cimport Route

cdef class Table:
    cdef dict _exact, _wildcard, _seen
    cdef Route _any
    cpdef Route find(self, bytes host)
    cdef Route _look_up(self, bytes host)
