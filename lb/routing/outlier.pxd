cimport cython

from lb.routing.instance cimport Instance

cdef double _GROWTH

cdef class OutlierDetector:
    cdef public int max_fails
    cdef public double first
    cdef public object unhealthy
    cpdef failed(self, Instance instance, list instances, double now, str cause)
    cpdef answered(self, Instance instance, list instances, int status, double seconds, double now)
    @cython.locals(out=Py_ssize_t, other=Instance, was_failing=bint)
    cpdef _count(self, Instance instance, list instances, Py_ssize_t most, double now, str cause)
