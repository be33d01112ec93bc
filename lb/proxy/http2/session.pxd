cimport cython

from lb.http.frame_budgets cimport FrameBudgets
from lb.http.frames cimport FrameReader
from lb.http.head cimport RequestHead
from lb.http.hpack cimport HpackDecoder

from lb.proxy.client_info cimport ClientInfo
from lb.proxy.engine cimport Engine
from lb.proxy.exchange.exchange cimport Exchange
from lb.proxy.handler cimport Handler
from lb.proxy.http2.flow cimport Flow
from lb.proxy.http2.sender cimport Sender
from lb.proxy.http2.stream cimport Stream
from lb.proxy.io.wire cimport Wire

cdef int FLOW_CONTROL_ERROR, NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, STREAM_CLOSED
cdef int DATA, GOAWAY, HEADERS, INCOMPLETE, PING, PRIORITY, PRIORITY_UPDATE, RST_STREAM, SETTINGS, WINDOW_UPDATE
cdef Py_ssize_t _MOST_STREAMS, _BEGUN, _UNSENT, _LARGEST_WINDOW
cdef double _GRACE

cdef class Session(Handler):
    cdef readonly Wire wire
    cdef readonly Engine engine
    cdef readonly ClientInfo info
    cdef readonly Sender sender
    cdef HpackDecoder _decoder
    cdef FrameReader _frames
    cdef FrameBudgets _budgets
    cdef object _peer
    cdef bint _greeted, _in_block, _no_request_yet
    cpdef begin(self)
    @cython.locals(kind=int, begun=Py_ssize_t, wire=Wire, frames=FrameReader)
    cpdef _read(self)
    @cython.locals(wire=Wire, sender=Sender)
    cpdef bint _has_to_wait(self, Py_ssize_t begun) except -1
    cpdef _watch_block(self)
    cpdef bint _greet(self) except -1
    @cython.locals(stream=Stream, frames=FrameReader, sender=Sender)
    cpdef _data(self)
    @cython.locals(stream=Stream, frames=FrameReader, sender=Sender, number=Py_ssize_t)
    cpdef _headers(self)
    @cython.locals(stream=Stream)
    cpdef _trailers(self, Stream stream)
    @cython.locals(stream=Stream, exchange=Exchange, head=RequestHead, frames=FrameReader, number=Py_ssize_t)
    cpdef _request(self, Py_ssize_t number)
    @cython.locals(exchange=Exchange)
    cpdef _refuse(self, Stream stream, object error)
    cpdef _connect(self, Stream stream, RequestHead head)
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
