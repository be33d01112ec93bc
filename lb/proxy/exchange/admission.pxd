cimport cython

from lb.http.head cimport RequestHead
from lb.routing.route cimport Route
from lb.routing.snapshot cimport Snapshot

from lb.proxy.http1.connection cimport Client

@cython.locals(route=Route, early=double)
cpdef Route find_route(Client client, RequestHead head, Snapshot snapshot)
cpdef admit(Client client, RequestHead head, Route route)
cpdef bytes origin(Client client, RequestHead head, Route route, Snapshot snapshot)
