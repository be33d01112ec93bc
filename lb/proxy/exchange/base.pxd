from lb.http.head cimport RequestHead, ResponseHead
from lb.routing.instance cimport Instance
from lb.routing.route cimport Route
from lb.routing.snapshot cimport Snapshot
from lb.telemetry.record cimport Record

from lb.proxy.client_info cimport ClientInfo
from lb.proxy.downstream cimport Downstream
from lb.proxy.engine cimport Engine
from lb.proxy.exchange.file_body cimport FileBody
from lb.proxy.exchange.request_body cimport RequestBody
from lb.proxy.exchange.response_body cimport ResponseBody
from lb.proxy.handler cimport Handler
from lb.proxy.upstream.connection cimport Upstream

# Constants of these types; those of other modules are imported into them.
cdef int CHECKING, DECIDING, DONE, HTTP2, SERVING, WAITING
cdef bint _PLAIN

cdef class ExchangeBase(Handler):
    cdef public Engine engine
    cdef public Downstream client
    cdef public ClientInfo info
    cdef public RequestHead head
    cdef public Snapshot snapshot
    cdef public Route route
    cdef public Instance instance
    cdef public Upstream upstream
    cdef public ResponseHead response
    cdef public int phase
    cdef public bint head_out
    cdef double started
    cdef RequestBody request
    cdef ResponseBody answer
    cdef list tried
    cdef bytes key
    cdef object last_error
    cdef object refused
    cdef bytes request_id, last_instance
    cdef str cause, detail
    cdef int status, attempts
    cdef FileBody file
    cdef object interims, gate
    cdef Py_ssize_t received, sent
    cdef bint idempotent, upgrading, keep_alive, all_busy, expecting, continued, flush_due
    cpdef begin(self, Engine engine, Downstream client, ClientInfo info, RequestHead head)
    cdef _clear(self)
    cpdef bytes identity(self)
    cpdef bint unread(self) except -1
    cpdef reply(self, object reply)
    cpdef finish(self, bint keep_alive)
    cdef _stop_waiting(self)
    cdef _leave_instance(self, bint keep)
    cdef count(self, Py_ssize_t received, Py_ssize_t sent)
    cdef let_go(self)
    cpdef end_tunnel(self, str cause)
    cpdef refuse(self, object error, object refused)
    cdef Record _record(self)
