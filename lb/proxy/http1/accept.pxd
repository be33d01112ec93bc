cimport cython

from lb.proxy.engine cimport Engine
from lb.proxy.http1.connection cimport Client
from lb.proxy.io.listener cimport Listener

cdef class ClientListener(Listener):
    cdef Engine engine
    cdef bytes scheme
    cdef object tls
    cpdef accepted(self, int fd, bytes address, int port)
    @cython.locals(engine=Engine)
    cpdef _admit(self, Client client)
