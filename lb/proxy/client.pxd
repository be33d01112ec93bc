from lb.http.forwarding cimport around_host, host_value
from lb.routing.route cimport Route
from lb.http.head cimport RequestHead

from .engine cimport Engine
from .exchange cimport Exchange
from .listener cimport Listener
from .wire cimport Wire

cdef double NEVER, _LINGER, _GRACE
cdef Py_ssize_t _AHEAD

cdef class Client(Wire):
    cdef public Engine engine
    cdef public Exchange exchange
    cdef public bytes address, scheme
    cdef public object certificate
    cdef public bint leaving, secure
    cdef bint _reading, _begun
    cdef bytes _fields_host, _fields, _before, _behind, _covered_host
    cpdef bytes forwarded(self, Route route, RequestHead head)
    cpdef bint covers(self, bytes host)
    cpdef _next_request(self)
    cpdef _refuse(self, object error)
    cpdef arm(self)
    cpdef done(self, bint keep_alive, bint unread)
    cpdef bint is_idle(self)
    cpdef _end(self, bint lingering)
    cpdef _await_end(self)

cdef class ClientListener(Listener):
    cdef Engine engine
    cdef bytes scheme
    cdef object tls
    cpdef accepted(self, int fd, bytes address, int _port)
