cimport cython

cdef double _WINDOW
cdef Py_ssize_t _FLOOR

cdef class RetryBudget:
    cdef public double share
    cdef Py_ssize_t _requests, _retries, _last_requests, _last_retries
    cdef double _until
    cpdef request(self, double now)
    @cython.locals(rest=double, retries=double, requests=double)
    cpdef bint allows(self, double now)
    cpdef _turn(self, double now)
