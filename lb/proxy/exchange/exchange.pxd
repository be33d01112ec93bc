cimport cython

from lb.http.head cimport RequestHead
from lb.routing.environment cimport Environment

from lb.proxy.exchange.admission cimport admit, find_route, origin
from lb.proxy.exchange.file_body cimport FileBody
from lb.proxy.exchange.file_reply cimport FileReply, file_reply
from lb.proxy.exchange.request_body cimport RequestBody
from lb.proxy.exchange.response cimport ResponseHandling
from lb.proxy.files.found_file cimport Representation

# Constants of these types; those of other modules are imported into them.
cdef int CHECKING, DECIDING, DONE, FORWARDING, RESPONDING, SERVING, WAITING

cdef class Exchange(ResponseHandling):
    cdef _decide(self)
    cdef bint _may_pass(self) except -1
    cdef _take_route(self)
    cdef _send_on(self)
    cdef _enter(self, Environment environment)
    cdef _frame(self)
    @cython.locals(lines=bytes, head=RequestHead, form=Representation, said=FileReply, parts=tuple, bodiless=bint)
    cdef _serve(self, object extras, object rule)
    cdef _serve_on(self)
    cdef bint _is_event_stream(self)
