from lb.http.head cimport RequestHead

cdef class Record:
    cdef public bytes client, detail, scheme, method, host, target, app, environment, instance, request_id, user_agent, referer
    cdef public int minor, status
    cdef public Py_ssize_t received, sent
    cdef public double duration
    cdef public str cause
    cpdef of_request(self, RequestHead head)
    cpdef of_none(self)
