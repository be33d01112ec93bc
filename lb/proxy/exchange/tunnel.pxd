from lb.proxy.downstream cimport Downstream
from lb.proxy.handler cimport Handler
from lb.proxy.engine cimport Engine
from lb.proxy.exchange.base cimport ExchangeBase
from lb.proxy.upstream.connection cimport Upstream

cdef double NEVER

cdef class Tunnel(Handler):
    cdef Engine engine
    cdef ExchangeBase exchange
    cdef Downstream client
    cdef Upstream upstream
    cdef bytes _lines, _protocol
    cdef bint _client_ended, _upstream_ended
    cpdef _watch_upstream(self)
    cpdef _end(self)
