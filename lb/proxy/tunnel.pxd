from .client cimport Client
from .conversation cimport Conversation
from .engine cimport Engine
from .exchange cimport Exchange
from .upstream cimport Upstream

cdef double NEVER

cdef class Tunnel(Conversation):
    cdef Engine engine
    cdef Exchange exchange
    cdef Client client
    cdef Upstream upstream
    cdef bytes _head
    cdef bint _client_ended, _upstream_ended
    cpdef _watch_upstream(self)
    cpdef _end(self)
