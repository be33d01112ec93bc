"""Where an exchange stands, and what may happen to it there: the whole of it, as a table.

The methods of an exchange are what the table says, and `tests/proxy/exchange/test_states.py` walks every cell. An event
is named by the method that is called with it (`lb.proxy.handler` says by whom); a cell names the phases in which the
exchange may be afterwards. Events that mean nothing in a phase leave it where it is. This file imports nothing.
"""

from __future__ import annotations

DECIDING, WAITING, CONNECTING, FORWARDING, RESPONDING, DONE = range(6)
# DECIDING: which route, which instance. WAITING: in the queue for an instance. CONNECTING: to one. FORWARDING: the
# request goes there, and the head of the response is yet to come. RESPONDING: its body goes to the client. DONE: the
# line in the access log is written; what follows is somebody else's.
