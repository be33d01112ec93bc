from libc.stdint cimport uint32_t

from lb.http.body cimport Body
from lb.http.head cimport Limits, RequestHead, ResponseHead
from .poller cimport Poller, Watched

cdef extern from "openssl.h":
    ctypedef struct SSL:
        pass

cdef class Wire(Watched):
    cdef public Poller poller
    cdef public double deadline, due
    cdef public int slot
    cdef readonly Py_ssize_t have, ready
    cdef readonly bint closed, full, paused, resumed
    cdef int state
    cdef bint readable, hung_up, broken, queued, lingers, wants_out, eof, retries, outward
    cdef char* data
    cdef char* rest
    cdef Py_ssize_t rest_size, searched
    cdef char* span
    cdef char* out
    cdef Py_ssize_t out_at, out_end, out_size
    cdef SSL* ssl
    cdef object tls, memory
    cdef int held

    cpdef attach(self, Poller poller, int fd)
    cpdef start_tls(self, contexts)
    cpdef int connect(self, Poller poller, int family, object address, bytes packed) except -1
    cpdef RequestHead scan_request(self, Limits limits)
    cpdef ResponseHead scan_response(self, Limits limits)
    cpdef drop(self, Py_ssize_t n)
    cpdef Py_ssize_t read_body(self, Body body) except -1
    cpdef Py_ssize_t read_raw(self) except -1
    cpdef bytes take_ready(self)
    cpdef object view(self, Py_ssize_t n)
    cpdef settle(self)
    cpdef send(self, bytes data)
    cpdef send_with(self, bytes prefix, Wire source, bytes suffix)
    cpdef pause(self)
    cpdef resume(self)
    cpdef again(self)
    cpdef bint is_stale(self) except -1
    cpdef bint is_closing(self)
    cpdef bint takes(self)
    cpdef end(self)
    cpdef close(self)
    cpdef close_lingering(self)
    cpdef abort(self)
    cpdef Py_ssize_t backlog(self)

    cpdef connected(self)
    cpdef connect_failed(self, int error)
    cpdef handshaken(self)
    cpdef received(self)
    cpdef ended(self)
    cpdef drained(self)
    cpdef lost(self)
    cpdef expired(self)

    cdef int on_events(self, uint32_t events) except -1
    cdef int _fill(self) except -1
    cdef int _handshake(self) except -1
    cdef Py_ssize_t _receive(self, char* base, Py_ssize_t room) except -3
    cdef Py_ssize_t _receive_tls(self, char* base, Py_ssize_t room) except -3
    cdef Py_ssize_t _receive_memory(self, char* base, Py_ssize_t room) except -3
    cdef int _keep(self) except -1
    cdef int _make_room(self, Py_ssize_t room) except -1
    cdef int _emit(self, char* one, Py_ssize_t n1, char* two, Py_ssize_t n2, char* three, Py_ssize_t n3) except -1
    cdef Py_ssize_t _write(self, char* data, Py_ssize_t size) except -1
    cdef int _queue(self, char* data, Py_ssize_t size) except -1
    cdef int _flush(self) except -1
    cdef int _want_out(self) except -1
    cdef int _break(self) except -1
    cdef int _last_words(self) except -1
    cdef int _finish_close(self) except -1
    cdef int _finalize(self) except -1
