from .instance cimport Instance

cdef class Balancer:
    cpdef Instance pick(self, list instances, list tried, double now)

cdef class RoundRobin(Balancer):
    cdef Py_ssize_t _next
