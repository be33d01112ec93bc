cimport cython

from lb.http.head cimport RequestHead

from lb.proxy.exchange.exchange cimport Exchange
from lb.proxy.handler cimport Handler
from lb.proxy.http1.handshake cimport Handshaking

cdef double NEVER, FIRST_REQUEST_TIMEOUT, AGAIN, FIRST, _LINGER, _LINGER_IN_ALL, _GRACE
cdef Py_ssize_t _AHEAD, _IN_A_ROW

cdef class Client(Handshaking):
    cdef public bint turned_away
    cdef bint _reading, _begun, _no_request_yet
    cdef double _listened_until
    cpdef _next_request(self)
    @cython.locals(exchange=Exchange)
    cpdef _begin(self, RequestHead head)
    @cython.locals(exchange=Exchange)
    cpdef _refuse(self, object error)
    @cython.locals(exchange=Exchange)
    cpdef _refuse_cleartext(self, RequestHead head)
    cpdef bint may_be_spared(self, double now)
    cpdef double idle_since(self)
    cpdef bint can_go(self)
    cpdef _not_a_request(self, object error)
    cpdef turn_away(self, str cause, str key)
    cpdef _end(self, bint lingering)
    cpdef _await_end(self)
