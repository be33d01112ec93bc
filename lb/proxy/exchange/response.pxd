cimport cython

from lb.routing.environment cimport Environment

from lb.proxy.exchange.collecting cimport Collecting
from lb.proxy.exchange.response_body cimport ResponseBody

# Constants of these types; those of other modules are imported into them.
cdef int CLOSE, CONNECTING, FORWARDING, RESPONDING
cdef Py_ssize_t _PROVEN
cdef bytes CONTINUE

cdef class ResponseHandling(Collecting):
    @cython.locals(environment=Environment, waited=double)
    cdef _judge(self, int status)
    @cython.locals(lines=bytes, date=bytes, body=bytes)
    cdef _answer_with(self, bytes page)
    cdef _look_at_redirect(self)
    @cython.locals(answer=ResponseBody, lines=bytes, date=bytes)
    cdef _respond(self)
    cdef _relay(self)
    cdef _complete(self, bint whole)
    cdef _interim(self)
    cdef _say_continue(self)
    cdef _start_tunnel(self)
    cpdef flush(self)
