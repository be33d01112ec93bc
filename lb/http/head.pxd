cimport cython

# Slicing `char*` creates no slice object, slicing bytes does.

cdef class Limits:
    cdef public Py_ssize_t line, total, fields

cdef class RequestHead:
    cdef public bytes method, target, host, kept, upgrade, forwarded_for, forwarded_proto, request_id
    cdef public Py_ssize_t length, body_length, passes
    cdef public int minor
    cdef public bint chunked, keep_alive, expect, ranged, odd_path, tagged
    cdef public bint accept_again, encoding_again
    cdef public Py_ssize_t accept_at, accept_size, encoding_at, encoding_size
    cdef public Py_ssize_t agent_at, agent_size, referer_at, referer_size
    @cython.locals(kept=cython.p_char)
    cpdef bytes accept(self)
    @cython.locals(kept=cython.p_char)
    cpdef bytes accept_encoding(self)
    @cython.locals(kept=cython.p_char)
    cpdef bytes user_agent(self)
    @cython.locals(kept=cython.p_char)
    cpdef bytes referer(self)

cpdef RequestHead with_length(RequestHead head, Py_ssize_t length)
cpdef RequestHead without_expectation(RequestHead head)
cdef RequestHead _copy(RequestHead head)
cpdef bint is_grpc(RequestHead head)

cdef class ResponseHead:
    cdef public bytes kept, upgrade
    cdef public int status, minor
    cdef public Py_ssize_t length, body_length, keep_alive_for
    cdef public bint chunked, keep_alive, encoded, no_transform, ranged, dated
    cdef public Py_ssize_t type_at, type_size
    @cython.locals(kept=cython.p_char)
    cpdef bytes content_type(self)
