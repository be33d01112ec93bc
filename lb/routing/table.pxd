from lb.routing.route cimport Route

cdef class RouteTable:
    cdef dict _exact, _wildcard, _seen
    cdef Route _any
    cpdef Route find(self, bytes host)
    cdef Route _look_up(self, bytes host)
