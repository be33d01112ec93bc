cimport cython

from lb.routing.instance cimport Instance
from lb.routing.balancers.balancer cimport Balancer

cdef class RoundRobin(Balancer):
    cdef Py_ssize_t _next
    @cython.locals(size=Py_ssize_t, left=Py_ssize_t, at=Py_ssize_t, passed_at=Py_ssize_t, instance=Instance, passed=Instance)
    cpdef Instance pick(self, list instances, list tried, bytes _key, double now)
