from lb.http.head cimport Limits

from .table cimport Table

cdef class Snapshot:
    cdef public Table table
    cdef public Limits limits
    cdef public object answer, https_port, trusted
    cdef public double connect, response, read, head, idle
    cdef public Py_ssize_t max_connections, max_waiting
    cpdef bint trusts(self, bytes address)
