cimport cython

cdef int _WAYS, _WORDS

cdef class RateLimit:
    cdef public double interval, slack

cdef class RateLimiter:
    cdef long long[::1] _keys
    cdef double[::1] _due
    cdef long long _mask
    @cython.locals(first=Py_ssize_t, place=Py_ssize_t, way=int, at=Py_ssize_t, due=double, ahead=double)
    cpdef double take(self, long long key, double now, RateLimit pace)
    @cython.locals(first=Py_ssize_t, way=int, at=Py_ssize_t)
    cpdef give_back(self, long long key, double now, RateLimit pace)
