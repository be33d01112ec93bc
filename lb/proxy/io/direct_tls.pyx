# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""TLS bytes of one connection, by OpenSSL itself on its socket: does what `memory_tls` does where this is not possible.

The library is the one that Python's `ssl` has loaded, and `ssl` makes contexts and sides; see `openssl.h` for what that relies on.
Each call says in `wants` why it stopped. OpenSSL keeps its errors per thread, not per connection: they are cleared before and
after each call. Does not know how a connection reacts.
"""
import _ssl
import os
import ssl

cdef extern from "openssl.h":
    int lb_openssl_load(const char*)
    SSL* lb_ssl_of(object, object)
    lb_pipe* lb_join(SSL*, int)
    int lb_SSL_do_handshake(SSL*)
    int lb_SSL_read(SSL*, void*, int)
    int lb_SSL_pending(const SSL*)
    int lb_SSL_write(SSL*, const void*, int)
    int lb_SSL_shutdown(SSL*)
    int lb_SSL_get_error(const SSL*, int)
    int lb_SSL_session_reused(const SSL*)
    long lb_SSL_ctrl(SSL*, int, long, void*)
    void lb_SSL_set_read_ahead(SSL*, int)
    void lb_ERR_clear_error()
    unsigned long lb_ERR_peek_last_error()
    const char* lb_ERR_reason_error_string(unsigned long)
    long lb_SSL_get_verify_result(const SSL*)
    const char* lb_X509_verify_cert_error_string(long)
    int LB_SSL_CTRL_MODE, LB_SSL_ERROR_WANT_READ, LB_SSL_ERROR_WANT_WRITE, LB_SSL_ERROR_ZERO_RETURN, LB_SSL_ERROR_WANT_CLIENT_HELLO_CB
    long LB_SSL_MODE_ENABLE_PARTIAL_WRITE, LB_SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER, LB_SSL_MODE_RELEASE_BUFFERS

DEF LEAST = 1024  # bytes of room for which another record is worth asking for
DEF RECORDS = 64  # taken at once: a record of one byte costs as much as one of a thousand
DEF WHOLE = 16640  # bytes read from the socket that contain a whole record
DEF WORTH = 64     # bytes of data that make up for one record without any; each record of data makes up for one, however short

_nowhere = ssl.MemoryBIO()  # an SSLObject needs BIOs; `lb_join` replaces them at once


def _layout_holds():
    # Tried on a connection made for the purpose, before a real one: `lb.tls.handshake.openssl` does the same for what it uses.
    side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).wrap_bio(_nowhere, _nowhere, server_side=True)
    raw = getattr(side, "_sslobj", None)
    return raw is not None and lb_ssl_of(raw, side.context) != NULL


DIRECT = bool(getattr(_ssl, "__file__", None) and os.environ.get("LB_TLS") != "memory"
              and lb_openssl_load(os.fsencode(_ssl.__file__)) and _layout_holds())
"""Whether direct TLS works here."""


cdef DirectTls terminate(object contexts, int fd):
    # One side of TLS on this socket, which `contexts` make, or None if that has to be done in memory.
    cdef DirectTls made
    cdef SSL* found
    cdef lb_pipe* pipe
    if not DIRECT:
        return None
    side = contexts.wrap(_nowhere, _nowhere)
    found = lb_ssl_of(side._sslobj, side.context)
    if found == NULL:
        return None
    pipe = lb_join(found, fd)
    if pipe == NULL:
        raise MemoryError
    lb_SSL_set_read_ahead(found, 1)  # a record costs one read instead of two
    lb_SSL_ctrl(found, LB_SSL_CTRL_MODE, LB_SSL_MODE_ENABLE_PARTIAL_WRITE | LB_SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                | LB_SSL_MODE_RELEASE_BUFFERS, NULL)
    made = DirectTls.__new__(DirectTls)
    made.ssl = found
    made.pipe = pipe
    made.side = side
    return made


cdef class DirectTls:
    """`side` is the `ssl.SSLObject`, which owns the connection's state; `wants` is why the last call stopped."""

    cdef int handshake(self, bint hung_up) except -1:
        # Whether the handshake is done; what one call reads is bounded.
        cdef int result
        self._begin(WHOLE, hung_up)
        lb_ERR_clear_error()
        result = lb_SSL_do_handshake(self.ssl)
        self.wants = DONE if result == 1 else self._reason(result)
        if result == 1:
            self.pipe.barren = 0
        lb_ERR_clear_error()
        return result == 1

    cdef Py_ssize_t receive(self, char* base, Py_ssize_t room, bint hung_up) except -1:
        # Reads as much as there is, and room for it, unless that is many small records, or records without data. One budget for the whole
        # turn: a byte of data now and then does not extend it forever.
        cdef Py_ssize_t total = 0
        cdef int n, asked, _
        self.wants = DONE
        self._begin(room, hung_up)
        lb_ERR_clear_error()
        for _ in range(RECORDS):
            if room - total < LEAST:
                break
            asked = <int>(room - total)
            n = lb_SSL_read(self.ssl, base + total, asked)
            if n <= 0:
                self.wants = self._reason(n)
                lb_ERR_clear_error()
                break
            total += n
            self._has_read(n, n < asked or lb_SSL_pending(self.ssl) == 0)
        return total

    cdef int _has_read(self, int size, bint whole) noexcept:
        # The last record brought data, and is used up if it is `whole`: it was counted itself, too.
        self.pipe.idle -= whole
        self.pipe.barren = max(self.pipe.barren - 2 * whole - size // WORTH, 0)
        return 0

    cdef int _begin(self, Py_ssize_t allowance, bint hung_up) noexcept:
        self.pipe.allowance = allowance
        self.pipe.hung_up = hung_up
        self.pipe.dry = self.pipe.cut = False
        self.pipe.idle = 0
        return 0

    cdef bint is_cut(self) noexcept:
        # Whether the last call stopped because it had read enough: there is more.
        return self.wants == BYTES and self.pipe.cut

    cdef Py_ssize_t barren(self) noexcept:
        # Records without data that the connection's data has not made up for.
        return self.pipe.barren

    cdef Py_ssize_t send(self, char* data, Py_ssize_t size) except -1:
        # Writes as much as the socket takes.
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

    cdef bytes shutdown(self):
        # Sends a close_notify; returns the part of it that the socket did not take.
        cdef bytes rest
        self.pipe.parting = True
        lb_ERR_clear_error()
        lb_SSL_shutdown(self.ssl)
        lb_ERR_clear_error()
        self.pipe.parting = False
        rest = self.pipe.last[:self.pipe.last_size]
        self.pipe.last_size = 0
        return rest

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
        if reason == LB_SSL_ERROR_ZERO_RETURN:
            return ENDED
        self.error = lb_ERR_peek_last_error()
        return FAILED

    cdef tuple failure(self):
        # Why the last call failed, in OpenSSL's words: what is wrong with the peer's certificate, and the reason. Either may be empty.
        cdef const char* reason = lb_ERR_reason_error_string(self.error) if self.error else NULL
        cdef const char* verdict = lb_X509_verify_cert_error_string(lb_SSL_get_verify_result(self.ssl))
        return ((<bytes>verdict).decode("latin-1") if verdict != NULL else "", (<bytes>reason).decode("latin-1") if reason != NULL else "")
