cimport cython

from lb.http.body cimport Body
from lb.http.frame_writer cimport FrameWriter

from lb.proxy.handler cimport Handler
from lb.proxy.http2.flow cimport Flow
from lb.proxy.http2.sender cimport Sender
from lb.proxy.io.read_buffer cimport ReadBuffer
from lb.proxy.io.wire cimport Wire

cdef double NEVER
cdef int CANCEL, FRAME_LENGTH, INTERNAL_ERROR, NO_ERROR, PROTOCOL_ERROR
cdef Py_ssize_t FRAME, _AHEAD, _HIGH, _KEPT, _LARGEST, _LOW, _WINDOW
cdef int LENGTH

cdef class Stream(Flow):
    cdef Sender sender
    cdef public Py_ssize_t credit, expected
    cdef readonly bint heard_all, tunnelling
    cdef public bytes websocket_key
    cdef public bint connecting
    cdef Py_ssize_t _came, _given, _due, _limit
    cdef bint _news
    cdef bytes _opening, _date, _request_trailers
    cpdef take(self, Wire wire, bint last)
    cpdef take_trailers(self, bytes lines)
    @cython.locals(handler=Handler)
    cpdef _tell(self)
    @cython.locals(n=Py_ssize_t)
    cpdef _give_credit(self)
    @cython.locals(by=Py_ssize_t)
    cpdef Py_ssize_t _growth(self) except -1
    @cython.locals(writer=FrameWriter)
    cpdef _open(self, bint ended)
    @cython.locals(sent=Py_ssize_t, n=Py_ssize_t, ended=bint, writer=FrameWriter)
    cpdef Py_ssize_t _send_now(self, ReadBuffer source, bytes trailers) except -1
    cpdef _keep(self, ReadBuffer source)
    cpdef _conclude(self)
    cpdef break_off(self, int code)
    cpdef _leave(self)
