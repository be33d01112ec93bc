cdef Py_ssize_t put_response(unsigned char* out, bytes lines, bytes more) except -1
cdef Py_ssize_t put_request(unsigned char* out, bytes head, bytes scheme, bytes more) except -1
cdef Py_ssize_t put_fields(unsigned char* out, bytes lines) except -1
cdef inline Py_ssize_t room_for(Py_ssize_t size) noexcept:
    # What a block of lines of this size needs at most: of a line of two bytes, three.
    return size * 2 + 96
