cdef class Instance:
    cdef public str key
    cdef public bytes label
    cdef public int family, failures
    cdef public object address
    cdef public bytes packed
    cdef public list idle
    cdef public Py_ssize_t inflight, limit
    cdef public bint healthy, keeps_idle, retired
    cdef public double down_until, keep_alive
    cpdef set_healthy(self, bint healthy, double now)
    cpdef failed(self, double now)
    cpdef worked(self)
    cpdef closed_idle(self, double seconds)
