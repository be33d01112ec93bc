"""Detects clients that vanished without closing, by TCP keep-alive probes and TCP's user timeout.

They are set on listening sockets, and accepted connections inherit them: no system call per connection or request.
During a request lb's own timeouts notice as well; in a tunnel nothing else does. This file knows sockets and a
duration.
"""

from __future__ import annotations

import socket

_IDLE = 45.0  # longest silence in seconds before the first probe
_PAUSE = 15.0  # longest time in seconds between two probes
_QUESTIONS = 3
_LONGEST = 2**31 - 1  # largest value of TCP_USER_TIMEOUT, in milliseconds


def look_after_clients(sock: socket.socket, timeout: float) -> None:
    """Break accepted connections whose client acknowledges neither data nor probes for three times `timeout` seconds.
    lb's own timeouts come first, since they know the cause (L4).
    """
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", max(int(min(_IDLE, 0.75 * timeout)), 1)),
        ("TCP_KEEPINTVL", max(int(min(_PAUSE, 0.25 * timeout)), 1)),
        ("TCP_KEEPCNT", _QUESTIONS),
        ("TCP_USER_TIMEOUT", min(int(3000 * timeout), _LONGEST)),
    ):
        if hasattr(socket, name):  # not on every system
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
