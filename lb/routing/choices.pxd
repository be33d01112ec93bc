from lb.http.head cimport RequestHead
from lb.routing.path_tree cimport PathTree

cdef class Choices:
    cdef PathTree _tree
    cdef tuple _conditions
    cdef dict _seen
    cpdef int pick(self, RequestHead head) except -2
    cpdef tuple others(self, RequestHead head)
    cdef int _at(self, bytes path, RequestHead head) except -2
