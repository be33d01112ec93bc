from lb.http.head cimport Limits, RequestHead, ResponseHead

cdef RequestHead read_request(char* data, Py_ssize_t size, Limits limits)
cdef ResponseHead read_response(char* data, Py_ssize_t size, Limits limits)
cdef Py_ssize_t head_end(char* data, Py_ssize_t size, Py_ssize_t searched) noexcept
