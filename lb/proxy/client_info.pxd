from lb.http.forwarding cimport around_host, host_value
from lb.http.head cimport RequestHead
from lb.routing.route cimport Route

from lb.proxy.engine cimport Engine

cdef class ClientInfo:
    cdef Engine engine
    cdef readonly bytes address, scheme, client_auth, client_certificate
    cdef readonly object certificate, endpoints
    cdef public int fd, port
    cdef readonly bint secure
    cdef bint _counted
    cdef long long _key
    cdef bytes _fields_host, _fields, _before, _behind, _covered_host
    cpdef bint may_connect(self)
    cpdef disconnected(self)
    cpdef bytes forwarded(self, Route route, RequestHead head)
    cpdef bytes _reported(self, Route route, RequestHead head)
    cpdef bytes scheme_of(self, Route route, RequestHead head)
    cpdef bint came_securely(self, Route route, RequestHead head)
    cpdef double early(self, Route route, RequestHead head)
    cpdef long long key(self)
    cpdef bint covers(self, bytes host)
