cimport cython

from lb.http.frames cimport FrameReader

cdef int DATA, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, UNKNOWN, WINDOW_UPDATE
cdef long _EMPTY_IN_A_ROW, _SHARE, _FRAME_COST, _UPDATES_A_STREAM, _UPDATES_A_FRAME, _MOST_UPDATES, _FRAGMENT

cdef class TokenBucket:
    cdef double _burst, _rate, _used, _since
    @cython.locals(used=double)
    cpdef bint take(self, double tokens, double now) except -1
    cpdef give(self, double tokens)
    cpdef bint is_below(self, double share) except -1

cdef class FrameBudgets:
    cdef TokenBucket _resets, _controls, _windows, _glitches, _dribble
    cdef int _empty
    cdef long _updates
    cdef bint _answered
    cdef public bint wants_goaway
    @cython.locals(kind=int)
    cpdef received(self, FrameReader frames, double now)
    @cython.locals(payload=long, excess=long)
    cdef _data(self, long length, long padding, bint ended, double now)
    @cython.locals(excess=long)
    cdef _fragments(self, FrameReader frames, double now)
    cdef _control(self, int kind, double now)
    cpdef reset_by_client(self, double now)
    cpdef reset_by_us(self, double now)
    cpdef refused(self, double now)
    cpdef glitch(self, double weight, double now)
    cpdef window_change(self, double now)
    cpdef opened(self)
    cpdef sent_data(self)
