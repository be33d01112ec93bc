from lb.routing.instance cimport Instance

cdef class Balancer:
    cpdef Instance pick(self, list instances, list tried, bytes key, double now)
