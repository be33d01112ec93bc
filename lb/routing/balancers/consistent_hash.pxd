cimport cython

from lb.routing.instance cimport Instance
from lb.routing.balancers.balancer cimport Balancer

cdef double _BOUND
cdef unsigned long long _MASK, _FIRST, _SECOND

cdef class ConsistentHash(Balancer):
    @cython.locals(
        ready=Py_ssize_t, busy=Py_ssize_t, bound=double, instance=Instance, best=Instance,
        hashed="unsigned long long", score="unsigned long long", highest="unsigned long long",
    )
    cpdef Instance pick(self, list instances, list tried, bytes key, double now)

cpdef unsigned long long key_hash(bytes key)
cpdef unsigned long long mixed(unsigned long long number)
