from lb.proxy.downstream cimport Downstream
from lb.proxy.files.open_file cimport OpenFile

cdef class FileBody:
    cdef OpenFile _file
    cdef list _parts
    cdef object _encoder
    cdef Py_ssize_t _at, _left
    cdef public Py_ssize_t sent
    cdef public bint done
    cpdef send(self, Downstream client)
    cpdef bint _begin_part(self, Downstream client) except -1
    cpdef bint _move(self, Downstream client) except -1
    cpdef _send_encoded(self, object encoder, Downstream client)
