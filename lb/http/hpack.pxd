from lb.http.head cimport Limits, RequestHead, ResponseHead

cdef struct Entry:
    # A field of the dynamic table: its line, from `at` on in the arena, the sizes of its name and value, what its name means, and
    # what is wrong with its value.
    unsigned short at, name, value
    unsigned char kind, fault

cdef class HpackDecoder:
    cdef readonly bytes scheme, protocol, priority
    cdef readonly bint te_trailers
    cdef int most_fields
    cdef Py_ssize_t size, limit
    cdef char* arena           # the entries' lines, in the order in which they came
    cdef Py_ssize_t arena_size, arena_end
    cdef Entry* entries        # a ring; the newest is before `head`
    cdef unsigned int room, head, count

    cpdef RequestHead request(self, bytes block, Limits limits, bint ended)
    cpdef bytes request_text(self, bytes block, Limits limits, bint ended)
    cpdef ResponseHead response(self, bytes block, Limits limits)
    cpdef bytes trailers(self, bytes block, Limits limits)
    cpdef discard(self, bytes block, Limits limits)
    cpdef bytes text(self)

    cdef int keep(self, const char* line, Py_ssize_t name, Py_ssize_t value, int kind, int fault) except -1
    cdef int make_room(self, Py_ssize_t needed) except -1
    cdef int resize(self, Py_ssize_t limit) except -1
    cdef void evict(self, Py_ssize_t needed) noexcept
