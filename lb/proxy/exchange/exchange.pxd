cimport cython

from lb.http.head cimport RequestHead, ResponseHead
from lb.routing.budget cimport RetryBudget
from lb.routing.environment cimport Environment
from lb.routing.instance cimport Instance
from lb.routing.route cimport Route
from lb.routing.snapshot cimport Snapshot
from lb.telemetry.record cimport Record

from lb.proxy.client_info cimport ClientInfo
from lb.proxy.exchange.admission cimport admit, find_route, origin
from lb.proxy.exchange.response_body cimport ResponseBody
from lb.proxy.downstream cimport Downstream
from lb.proxy.handler cimport Handler
from lb.proxy.engine cimport Engine
from lb.proxy.exchange.request_body cimport RequestBody
from lb.proxy.upstream.connection cimport Upstream

# Constants of these types; those of other modules are imported into them.
cdef int CLOSE
cdef Py_ssize_t _PROVEN
cdef double CONTINUE_AFTER
cdef bytes CONTINUE
cdef int DECIDING, WAITING, CONNECTING, FORWARDING, RESPONDING, DONE

cdef class Exchange(Handler):
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
    cdef public object refused
    cdef bytes request_id, last_instance
    cdef str cause, detail
    cdef int status, attempts
    cdef object interims
    cdef public Py_ssize_t received, sent
    cdef bint idempotent, upgrading, keep_alive, crowded, expecting, continued, flush_due
    cpdef bytes identity(self)
    cpdef bint is_choosy(self)
    cpdef bint unread(self)
    cpdef reply(self, object reply)
    cpdef finish(self, bint keep_alive)
    @cython.locals(environment=Environment)
    cpdef forward(self)
    @cython.locals(error=int)
    cpdef bint _reach(self, Instance instance)
    cpdef _decide(self)
    cpdef _enter(self, Environment environment)
    cpdef _frame(self)
    cpdef _wait(self)
    cpdef _stop_waiting(self)
    cpdef _take(self, Instance instance, Upstream upstream)
    cpdef _pass_over(self, Instance instance)
    @cython.locals(environment=Environment, waited=double)
    cpdef _judge(self, int status)
    cpdef _look_at_redirect(self)
    @cython.locals(environment=Environment, budget=RetryBudget)
    cpdef bint _may_repeat(self, bint reused)
    @cython.locals(kept=bytes, fields=bytes, upstream=Upstream, protocol=bytes)
    cpdef _send_request(self)
    @cython.locals(request=RequestBody)
    cpdef _send_body(self)
    @cython.locals(answer=ResponseBody, lines=bytes, date=bytes)
    cpdef _respond(self)
    cpdef _relay(self)
    cpdef _complete(self, bint whole)
    cpdef _broken(self, str cause)
    cpdef _not_connected(self, Upstream upstream, int error)
    cpdef _instance_failed(self, str cause, str detail=*)
    cpdef _leave_instance(self, bint keep)
    cpdef _interim(self)
    cpdef _say_continue(self)
    cpdef double _time_to_answer(self)
    cpdef flush(self)
    cpdef _start_tunnel(self)
    cpdef end_tunnel(self)
    cpdef Record _record(self)
