cimport cython

from lb.http.frames cimport FrameReader
from lb.http.head cimport RequestHead

from lb.proxy.exchange.exchange cimport Exchange
from lb.proxy.http2.control_frames cimport ControlFrames
from lb.proxy.http2.flow cimport Flow
from lb.proxy.http2.sender cimport Sender
from lb.proxy.http2.stream cimport Stream
from lb.proxy.io.wire cimport Wire

cdef int FLOW_CONTROL_ERROR, NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, STREAM_CLOSED
cdef int DATA, HEADERS, INCOMPLETE
cdef Py_ssize_t _TURN, _HEAD, _MOST_STREAMS, _PREFACE_SIZE, _UNSENT
cdef double _GRACE

cdef class Session(ControlFrames):
    cpdef begin(self)
    @cython.locals(kind=int, read=Py_ssize_t, wire=Wire, frames=FrameReader)
    cpdef _read(self)
    @cython.locals(wire=Wire, sender=Sender)
    cpdef bint _has_to_wait(self, Py_ssize_t read) except -1
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
    cpdef _refuse_stream(self, Py_ssize_t number)
    cpdef _connect(self, Stream stream, RequestHead head)
