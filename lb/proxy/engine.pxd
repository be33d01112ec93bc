cimport cython

from lb.routing.instance cimport Instance
from lb.routing.rate_limit cimport RateLimiter
from lb.routing.connection_count cimport ConnectionCounts
from lb.routing.snapshot cimport Snapshot
from lb.telemetry.record cimport Record

from lb.proxy.io.deadlines cimport Deadlines
from lb.proxy.files.file_cache cimport FileCache
from lb.proxy.request_ids cimport RequestIds
from lb.proxy.io.poller cimport Poller
from lb.proxy.io.wire cimport Wire

cdef class Engine:
    cdef public Poller poller
    cdef public Deadlines deadlines
    cdef public Snapshot snapshot
    cdef public bytes date_line
    cdef public RateLimiter rate_limiter
    cdef public ConnectionCounts connection_counts
    cdef public FileCache files
    cdef public object clients, connector, floods, flushes, guards, held, http2, listeners, queue, redirect_loops, evictor
    cdef public bint draining, fast_drain
    cdef public Py_ssize_t open_connections, max_connections
    cdef public Py_ssize_t connections_total, handshakes, resumed, connects, reused, retries, unrepeated
    cdef object _loop, _log, _row, _append, _format, _ticking, _errors, _clients, _on_error, _watch, _shortage
    cdef bytes _log_time
    cdef str _time_format
    cdef readonly RequestIds ids
    cdef Py_ssize_t _second, _bytes_in, _bytes_out
    cdef list _base
    cdef Py_ssize_t _responses[6]
    cpdef opened(self, Wire client)
    cpdef gone(self, Wire client)
    cpdef turned_away(self, Wire client)
    cpdef finished(self, Record record)
    cpdef relieve_log(self)
    cpdef failed(self, str cause)
    cdef connecting(self)
    cdef reusing(self)
    cdef repeating(self)
    cdef not_repeating(self)
    cdef shook_hands(self, bint resumed)
    cpdef bint make_room(self)
    cpdef bint free_descriptors(self, int error)
