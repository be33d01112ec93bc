cimport cython

from lb.http.head cimport RequestHead
from lb.routing.route cimport Route
from lb.routing.snapshot cimport Snapshot

from lb.proxy.client_info cimport ClientInfo

@cython.locals(route=Route, early=double)
cpdef Route find_route(ClientInfo client, RequestHead head, Snapshot snapshot)
cpdef admit(ClientInfo client, RequestHead head, Route route)
cpdef bytes origin(ClientInfo client, RequestHead head, Route route, Snapshot snapshot)
