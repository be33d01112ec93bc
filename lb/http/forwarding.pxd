cpdef tuple around_host(bytes address, bytes scheme, bytes chain)
cpdef bytes host_value(bytes host)
