from lb.http.head cimport Limits

from lb.routing.rate_limit cimport RateLimit
from lb.routing.table cimport RouteTable

cdef class Snapshot:
    cdef public RouteTable table
    cdef public Limits limits
    cdef public object answer, https_port, trusted
    cdef public double connect, response, read, head, idle, handshake, hold, drain
    cdef public bint proxy_protocol
    cdef public Py_ssize_t max_connections, max_held, max_waiting, client_connections
    cdef public bint http2, h2c
    cdef public RateLimit client_pace
    cpdef bint trusts(self, bytes address)
