cimport cython

cdef double _LEAST_SHARE

cdef class Instance:
    cdef public str key, cause, identity
    cdef public bytes label, token
    cdef public int family, failures, pauses
    cdef public object address, on_change, alternate, tls
    cdef public bytes packed
    cdef public list idle
    cdef public Py_ssize_t connections, inflight, limit, most_idle, served, faults, tunnels
    cdef public bint healthy, passes, answers, failing, keeps_idle, retired, trying, ramping
    cdef public double down_until, failed_at, pause, slow_start, since, credit, keep_alive, seconds
    cdef public unsigned long long seed
    cpdef secure(self, tls)
    cpdef also_at(self, int family, address)
    cpdef prefer_alternate(self)
    cpdef bint is_up(self, double now)
    cpdef bint may_serve(self, list tried, double now)
    cpdef bint is_full(self)
    cdef entered(self)
    cdef left(self)
    cdef answered(self, double seconds)
    cdef tunnelled(self, int number)
    cdef connected(self)
    cdef disconnected(self)
    cdef keep_idle(self, object connection)
    cdef take_newest(self)
    cdef lost_idle(self, object connection)
    cpdef retire(self)
    cpdef equip(self, Py_ssize_t most_idle, double slow_start, bytes token)
    cpdef bound(self, Py_ssize_t limit)
    cpdef begin_healthy(self, bint healthy)
    cpdef checked(self, bint passes, bint answers)
    cpdef observed_by(self, object on_change)
    cpdef int count_failure(self, double now, str cause)
    cpdef serve_on(self)
    cdef kept_idle(self)
    cdef keeps_idle_for(self, double seconds)
    @cython.locals(risen=double)
    cpdef double share(self, double now)
    cpdef double load(self, double now)
    cpdef bint takes_turn(self, double now)
    cpdef passed_over(self, double now, double first, double longest)
    cpdef tried(self, double now)
    cpdef worked(self, double now)
    cpdef _recovered(self, double now)
    cpdef set_healthy(self, bint healthy, double now)
    cpdef came_back(self, double now)
    cpdef closed_idle(self, double seconds)
