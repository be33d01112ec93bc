from lb.proxy.client_info cimport ClientInfo
from lb.proxy.engine cimport Engine
from lb.proxy.http1.response_writer cimport ResponseWriter

cdef class Handshaking(ResponseWriter):
    cdef public Engine engine
    cdef readonly ClientInfo info
    cdef bint _established
    cpdef shake_hands(self, object contexts)
