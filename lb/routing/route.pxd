from lb.http.head cimport RequestHead
from lb.routing.choices cimport Choices
from lb.routing.environment cimport Environment
from lb.routing.rate_limit cimport RateLimit

cdef class Route:
    cdef public Environment environment
    cdef public bint force_https, cdn, names_client, proxied
    cdef public Py_ssize_t body_cap
    cdef public double connect, response, read
    cdef public object compression, extras
    cdef public Choices choices
    cdef public tuple branches
    cdef public bytes client_auth
    cdef public RateLimit pace
    cdef public long long scope
    cpdef Route branch(self, RequestHead head)
    cpdef tuple guarding(self, RequestHead head)
