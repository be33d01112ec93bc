cimport cython

from lb.http.head cimport RequestHead
from lb.proxy.engine cimport Engine
from lb.proxy.exchange.base cimport ExchangeBase
from lb.proxy.files.found_file cimport FoundFile, Representation

cdef class FileReply:
    cdef public int status
    cdef public bytes lines
    cdef public Representation form
    cdef public tuple parts

@cython.locals(head=RequestHead, engine=Engine, found=FoundFile, form=Representation, path=bytes, at=Py_ssize_t)
cpdef object file_reply(ExchangeBase exchange, object rule)
