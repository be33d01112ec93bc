cdef class _Node:
    cdef dict below
    cdef _Node any
    cdef tuple exact, prefix, rest
    cdef _Node under(self, object segment)
    cdef add(self, object number, object ending)

cdef class PathTree:
    cdef _Node _root
    cpdef list find(self, bytes path)

cdef _collect(_Node node, list segments, Py_ssize_t at, list found)
