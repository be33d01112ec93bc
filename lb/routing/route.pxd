from .balancer cimport Balancer
from .instance cimport Instance

cdef class Environment:
    cdef public bytes app, name
    cdef public list instances
    cdef public Balancer balancer
    cdef public object waiting
    cpdef Instance pick(self, list tried, double now)
    cpdef bint is_full(self, list tried)

cdef class Route:
    cdef public Environment environment
    cdef public bint force_https, cdn
    cdef public Py_ssize_t body_cap
    cdef public object compression
    cdef public bytes client_auth
