from lb.proxy.downstream cimport Downstream
from lb.proxy.io.read_buffer cimport ReadBuffer

cdef class Flow(Downstream):
    cdef readonly Py_ssize_t number
    cdef public ReadBuffer pending
    cdef public bytes trailers
    cdef public Py_ssize_t window, head_size
    cdef public int urgency
    cdef public bint takes_turns, queued, ended, moved
    cpdef Py_ssize_t waiting(self)
    cpdef took(self)
