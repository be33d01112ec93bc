cimport cython

from lb.http.frame_budgets cimport FrameBudgets
from lb.http.frames cimport FrameReader
from lb.http.hpack cimport HpackDecoder

from lb.proxy.client_info cimport ClientInfo
from lb.proxy.engine cimport Engine
from lb.proxy.handler cimport Handler
from lb.proxy.http2.sender cimport Sender
from lb.proxy.http2.stream cimport Stream
from lb.proxy.io.wire cimport Wire

cdef int FLOW_CONTROL_ERROR, PROTOCOL_ERROR
cdef int GOAWAY, PING, PRIORITY, PRIORITY_UPDATE, RST_STREAM, SETTINGS, WINDOW_UPDATE
cdef Py_ssize_t _LARGEST_WINDOW

cdef class ControlFrames(Handler):
    cdef readonly Wire wire
    cdef readonly Engine engine
    cdef readonly ClientInfo info
    cdef readonly Sender sender
    cdef HpackDecoder _decoder
    cdef FrameReader _frames
    cdef FrameBudgets _budgets
    cdef object _peer
    cdef bint _greeted, _in_block, _no_request_yet
    @cython.locals(stream=Stream)
    cpdef _prioritize(self, Stream stream, bytes value)
    cpdef Stream _stream(self, Py_ssize_t number)
    @cython.locals(frames=FrameReader, stream=Stream)
    cpdef _control(self, int kind)
    @cython.locals(frames=FrameReader)
    cpdef _of_connection(self, int kind)
    @cython.locals(stream=Stream, frames=FrameReader)
    cpdef _reset(self)
    @cython.locals(stream=Stream, frames=FrameReader)
    cpdef _more_window(self)
    @cython.locals(stream=Stream)
    cpdef _settings(self)
    cpdef _ready_again(self, Stream stream)
    cpdef _not_idle(self, Py_ssize_t number)
    cpdef _stream_error(self, Py_ssize_t number, int code)
    cpdef _fail(self, int code, bytes detail)
