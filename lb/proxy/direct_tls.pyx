# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""TLS bytes of one connection, by OpenSSL itself on its socket: what `memory_tls` does where that is not possible.

The library is the one that Python's `ssl` has loaded, and `ssl` makes contexts and sides; see `openssl.h` for what that rests on.
Each call says in `wants` why it stopped. OpenSSL keeps its errors for a thread, not for a connection: they are cleared before and
after each call. Knows nothing of what a connection does about it.
"""
import _ssl
import os
import ssl

cdef extern from "openssl.h":
    int lb_openssl_load(const char*)
    SSL* lb_ssl_of(object, object)
    int lb_SSL_set_fd(SSL*, int)
    int lb_SSL_do_handshake(SSL*)
    int lb_SSL_read(SSL*, void*, int)
    int lb_SSL_write(SSL*, const void*, int)
    int lb_SSL_shutdown(SSL*)
    int lb_SSL_get_error(const SSL*, int)
    int lb_SSL_session_reused(const SSL*)
    long lb_SSL_ctrl(SSL*, int, long, void*)
    void lb_SSL_set_read_ahead(SSL*, int)
    void lb_ERR_clear_error()
    int LB_SSL_CTRL_MODE, LB_SSL_ERROR_WANT_READ, LB_SSL_ERROR_WANT_WRITE, LB_SSL_ERROR_ZERO_RETURN, LB_SSL_ERROR_WANT_CLIENT_HELLO_CB
    long LB_SSL_MODE_ENABLE_PARTIAL_WRITE, LB_SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER, LB_SSL_MODE_RELEASE_BUFFERS

DEF LEAST = 1024  # bytes of room for which it is worth to ask for another record
DEF RECORDS = 64  # taken at once: a record of one byte costs as much as one of a thousand

DIRECT = bool(getattr(_ssl, "__file__", None) and os.environ.get("LB_TLS") != "memory"
              and lb_openssl_load(os.fsencode(_ssl.__file__)))
"""Whether that works here."""

_nowhere = ssl.MemoryBIO()  # an SSLObject wants BIOs; set_fd replaces them at once


cdef DirectTls terminate(object contexts, int fd):
    # The side that terminates TLS on this socket, or None where that has to be done in memory.
    cdef DirectTls made
    cdef SSL* found
    if not DIRECT:
        return None
    side = contexts.wrap(_nowhere, _nowhere)
    found = lb_ssl_of(side._sslobj, side.context)
    if found == NULL:
        return None
    lb_SSL_set_fd(found, fd)
    lb_SSL_set_read_ahead(found, 1)  # a record costs one read instead of two
    lb_SSL_ctrl(found, LB_SSL_CTRL_MODE, LB_SSL_MODE_ENABLE_PARTIAL_WRITE | LB_SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                | LB_SSL_MODE_RELEASE_BUFFERS, NULL)
    made = DirectTls.__new__(DirectTls)
    made.ssl = found
    made.side = side
    return made


cdef class DirectTls:
    """`side` is the `ssl.SSLObject`, which owns the connection's state; `wants` is why the last call stopped."""

    cdef int handshake(self) except -1:
        # Whether it is done.
        cdef int result
        lb_ERR_clear_error()
        result = lb_SSL_do_handshake(self.ssl)
        self.wants = DONE if result == 1 else self._reason(result)
        lb_ERR_clear_error()
        return result == 1

    cdef Py_ssize_t receive(self, char* base, Py_ssize_t room) except -1:
        # As much as there is, and room for it, unless that is many small records.
        cdef Py_ssize_t total = 0
        cdef int n, records
        self.wants = DONE
        lb_ERR_clear_error()
        for records in range(RECORDS):
            if room - total < LEAST:
                break
            n = lb_SSL_read(self.ssl, base + total, <int>(room - total))
            if n <= 0:
                self.wants = self._reason(n)
                lb_ERR_clear_error()
                break
            total += n
        return total

    cdef Py_ssize_t send(self, char* data, Py_ssize_t size) except -1:
        # As much as the socket takes.
        cdef Py_ssize_t total = 0
        cdef int n
        self.wants = DONE
        lb_ERR_clear_error()
        while total < size:
            n = lb_SSL_write(self.ssl, data + total, <int>(size - total if size - total < 1 << 30 else 1 << 30))
            if n <= 0:
                self.wants = self._reason(n)
                lb_ERR_clear_error()
                break
            total += n
        return total

    cdef int shutdown(self) except -1:
        # Say that no more is to come.
        cdef int result
        lb_ERR_clear_error()
        result = lb_SSL_shutdown(self.ssl)
        self.wants = DONE if result >= 0 else self._reason(result)
        lb_ERR_clear_error()
        return 0

    cdef bint resumed(self):
        return lb_SSL_session_reused(self.ssl) != 0

    cdef int _reason(self, int result) noexcept:
        cdef int reason = lb_SSL_get_error(self.ssl, result)
        if reason == LB_SSL_ERROR_WANT_READ:
            return BYTES
        if reason == LB_SSL_ERROR_WANT_WRITE:
            return ROOM
        if reason == LB_SSL_ERROR_WANT_CLIENT_HELLO_CB:
            return HELD
        return ENDED if reason == LB_SSL_ERROR_ZERO_RETURN else FAILED
