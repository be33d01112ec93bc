cimport cython

from lb.routing.instance cimport Instance
from lb.routing.balancers.balancer cimport Balancer

cdef class LeastConnections(Balancer):
    cdef Py_ssize_t _next
    @cython.locals(
        size=Py_ssize_t, at=Py_ssize_t, best_at=Py_ssize_t, steady_at=Py_ssize_t,
        load=double, best_load=double, steady_load=double, instance=Instance, best=Instance, steady=Instance,
    )
    cpdef Instance pick(self, list instances, list tried, bytes _key, double now)
