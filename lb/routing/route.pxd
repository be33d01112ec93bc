from lb.routing.environment cimport Environment

cdef class Route:
    cdef public Environment environment
    cdef public bint force_https, cdn
    cdef public Py_ssize_t body_cap
    cdef public object compression
    cdef public bytes client_auth
