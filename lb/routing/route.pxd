from lb.routing.environment cimport Environment
from lb.routing.rate_limit cimport Pace

cdef class Route:
    cdef public Environment environment
    cdef public bint force_https, cdn
    cdef public Py_ssize_t body_cap
    cdef public double connect, response, read
    cdef public object compression, choices, extras
    cdef public bytes client_auth
    cdef public Pace pace
    cdef public long long scope
