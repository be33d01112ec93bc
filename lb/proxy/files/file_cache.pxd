cimport cython

from lb.proxy.files.found_file cimport FoundFile

cdef double LIFE

cdef class FileCache:
    cdef object _found
    cdef Py_ssize_t _bytes, _open
    @cython.locals(found=FoundFile, before=FoundFile)
    cpdef FoundFile find(self, object rule, bytes path, double now)
    cpdef _look(self, object rule, bytes path, tuple key, FoundFile before, double now)
    @cython.locals(found=FoundFile)
    cpdef FoundFile _forget(self, tuple key)
    cpdef Py_ssize_t clear(self)
    cpdef sweep(self, double now)
