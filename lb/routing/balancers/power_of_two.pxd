cimport cython

from lb.routing.instance cimport Instance
from lb.routing.balancers.balancer cimport Balancer

cdef unsigned long long _MASK

cdef class PowerOfTwo(Balancer):
    cdef unsigned long long _state
    @cython.locals(
        ready=Py_ssize_t, first=Py_ssize_t, second=Py_ssize_t, instance=Instance, one=Instance, other=Instance
    )
    cpdef Instance pick(self, list instances, list tried, bytes _key, double now)
    @cython.locals(instance=Instance)
    cpdef Instance _one_of(self, list instances, list tried, double now, Py_ssize_t place)
    @cython.locals(state="unsigned long long")
    cpdef Py_ssize_t _below(self, unsigned long long bound)
