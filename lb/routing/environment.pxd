cimport cython

from lb.routing.balancers.balancer cimport Balancer
from lb.routing.budget cimport RetryBudget
from lb.routing.instance cimport Instance
from lb.routing.outlier cimport OutlierDetector

cdef class Environment:
    cdef public bytes app, name
    cdef public list instances
    cdef public Balancer balancer
    cdef public OutlierDetector passive
    cdef public RetryBudget budget
    cdef public double retry_for
    cdef public bint keep_alive, nameless, quiet, wake_scheduled
    cdef public object waiting, policy, key, cookie, observer, deployment
    cpdef follow(self, policy, list instances, double now)
    cpdef change(self, list instances, double now)
    @cython.locals(instance=Instance, passing=bint, healthy=bint)
    cpdef _agree(self, double now)
    cpdef _watch(self, Instance instance)
    cpdef _equip(self, Instance instance)
    @cython.locals(instance=Instance)
    cpdef Instance pick(self, list tried, bytes key, double now)
    @cython.locals(nearest=Instance, other=Instance)
    cpdef Instance _nearest(self, list tried, double now)
    @cython.locals(other=Instance)
    cpdef bint is_full(self, list tried)
    cpdef bint may_wake(self)
    cpdef woke(self)
    cpdef end(self)
    @cython.locals(other=Instance)
    cpdef bint has_untried(self, list tried)
    cpdef failed(self, Instance instance, double now, str cause=*)
    cpdef answered(self, Instance instance, int status, double seconds, double now)
