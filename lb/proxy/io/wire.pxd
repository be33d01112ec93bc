from libc.stdint cimport uint32_t

from lb.proxy.io.direct_tls cimport DirectTls
from lb.proxy.io.poller cimport Poller
from lb.proxy.io.read_buffer cimport ReadBuffer
from lb.proxy.downstream cimport Downstream

cdef class Wire(Downstream):
    cdef public Poller poller
    cdef readonly double heard
    cdef readonly bint on_hold, resumed
    cdef int state
    cdef int ending
    cdef bint readable, hung_up, broken, queued, lingers, wants_out, eof, retries, outward, expensive, more, greeted, parted, prefaced
    cdef char* out
    cdef Py_ssize_t out_at, out_end, out_size
    cdef DirectTls direct
    cdef object tls, memory
    cdef readonly tuple tls_failure
    cdef int held
    cdef Py_ssize_t read_size, barren, owed

    cpdef expect_preface(self)
    cpdef attach(self, Poller poller, int fd)
    cpdef start_tls(self, contexts)
    cpdef int connect(self, Poller poller, int family, object address, bytes packed) except -1
    cpdef send(self, bytes data)
    cpdef send_with(self, bytes prefix, ReadBuffer source, bytes suffix)
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
    cpdef reset(self)
    cpdef go_on(self)
    cpdef refuse_handshake(self)
    cpdef Py_ssize_t backlog(self)

    cpdef connected(self)
    cpdef connect_failed(self, int error)
    cpdef suspended(self)
    cpdef handshaken(self)
    cpdef unsecured(self)
    cpdef Py_ssize_t preface(self, bytes data) except -1
    cpdef introduced(self)
    cpdef received(self)
    cpdef ended(self)
    cpdef drained(self)
    cpdef flooded(self)
    cpdef severed(self)
    cpdef lost(self)
    cpdef expired(self)

    cdef int on_events(self, uint32_t events) except -1
    cdef int _fill(self) except -1
    cdef int _take_less_or_more(self, double seconds) except -1
    cdef int _handshake(self) except -1
    cdef int _read_preface(self) except -1
    cdef int _greet(self) except -1
    cdef int _after_step(self) except -1
    cdef int _note_failure(self) except -1
    cdef int _suspend(self) except -1
    cdef Py_ssize_t _receive(self, char* base, Py_ssize_t room) except -3
    cdef Py_ssize_t _receive_direct(self, char* base, Py_ssize_t room) except -3
    cdef Py_ssize_t _receive_memory(self, char* base, Py_ssize_t room) except -3
    cdef int _emit(self, char* one, Py_ssize_t n1, char* two, Py_ssize_t n2, char* three, Py_ssize_t n3) except -1
    cdef Py_ssize_t _write(self, char* data, Py_ssize_t size) except -1
    cdef int _queue(self, char* data, Py_ssize_t size) except -1
    cdef int _flush(self) except -1
    cdef int _want_out(self) except -1
    cdef int _break(self) except -1
    cdef int _last_words(self) except -1
    cdef int _finish_close(self) except -1
    cdef int _part(self) except -1
    cdef int _finish_end(self) except -1
    cdef int _end_flood(self) except -1
    cdef int _finalize(self) except -1
