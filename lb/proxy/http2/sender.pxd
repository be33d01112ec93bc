cimport cython
from libc.stdint cimport uint32_t

from lb.http.frame_budgets cimport FrameBudgets
from lb.http.frame_writer cimport FrameWriter

from lb.proxy.downstream cimport Downstream
from lb.proxy.engine cimport Engine
from lb.proxy.http2.flow cimport Flow
from lb.proxy.http2.scheduler cimport Scheduler
from lb.proxy.io.read_buffer cimport ReadBuffer
from lb.proxy.io.wire cimport Wire

cdef double NEVER
cdef Py_ssize_t _AT_ONCE, _FRAME, _TURN, _WINDOW

cdef class Sender(Downstream):
    cdef readonly Wire wire
    cdef readonly Engine engine
    cdef readonly FrameWriter writer
    cdef readonly FrameBudgets budgets
    cdef readonly Scheduler scheduler
    cdef readonly dict streams
    cdef public Py_ssize_t window, credit, last, kept, heads
    cdef readonly bint going, gone
    cdef bint _turn_due
    cdef list _moved
    cdef dict _dropped
    cdef Py_ssize_t _due, _grown, _most_grown
    cpdef open(self, Flow stream)
    cpdef forget(self, Flow stream, Py_ssize_t unread)
    cpdef drop(self, Py_ssize_t number)
    cpdef reset_stream(self, Py_ssize_t number, int code)
    cpdef bint was_reset(self, Py_ssize_t number)
    cpdef consumed(self, Py_ssize_t n)
    cpdef grow(self, Py_ssize_t by)
    cpdef touch(self)
    cpdef remind(self, Flow stream)
    cpdef Py_ssize_t unsent(self)
    @cython.locals(wire=Wire, room=Py_ssize_t)
    cpdef flush(self)
    cdef bint _may_write(self)
    @cython.locals(stream=Flow)
    cdef _report(self)
    @cython.locals(written=Py_ssize_t, n=Py_ssize_t, flow=Flow, pending=ReadBuffer, last=bint)
    cdef Py_ssize_t _write_frames(self, Py_ssize_t most) except -1
    cpdef go_away(self)
    cpdef fail(self, int code, bytes detail)
    cdef int on_events(self, uint32_t events) except -1
