cimport cython

from lb.routing.budget cimport RetryBudget
from lb.routing.environment cimport Environment
from lb.routing.instance cimport Instance

from lb.proxy.exchange.base cimport ExchangeBase
from lb.proxy.exchange.request_body cimport RequestBody
from lb.proxy.upstream.connection cimport Upstream
from lb.proxy.upstream.pool cimport may_connect, take_idle

# Constants of these types; those of other modules are imported into them.
cdef double CONTINUE_AFTER
cdef int CHECKING, CONNECTING, DECIDING, FORWARDING, RESPONDING, WAITING

cdef class Attempt(ExchangeBase):
    @cython.locals(environment=Environment)
    cpdef forward(self)
    cpdef bint is_choosy(self)
    @cython.locals(error=int, upstream=Upstream)
    cdef bint _reach(self, Instance instance) except -1
    cdef Upstream _connection(self, Instance instance)
    @cython.locals(failed=Upstream, upstream=Upstream, instance=Instance)
    cdef bint _reach_alternate(self, int error) except -1
    cdef _wait(self)
    cdef _await_start(self, object deployment)
    cdef _take(self, Instance instance, Upstream upstream)
    cdef _pass_over(self, Instance instance)
    @cython.locals(environment=Environment, budget=RetryBudget)
    cdef bint _may_repeat(self, bint reused) except -1
    @cython.locals(kept=bytes, fields=bytes, upstream=Upstream, protocol=bytes)
    cdef _send_request(self)
    @cython.locals(request=RequestBody)
    cdef _send_body(self)
    cdef _broken(self, str cause)
    cdef _not_connected(self, Upstream upstream, int error)
    cdef _instance_failed(self, str cause, str detail=*)
    cdef double _time_to_answer(self) except -1
