"""How a client that is gone without a word is noticed: TCP's own questions and time limit.

They are set on listening sockets, and every connection that is accepted has them from there: no system call more for a
connection, none for a request. Where a request is under way, time limits of ours notice as well; where bytes go both
ways unread, in a tunnel, nothing else does. This file knows sockets and a duration.
"""

from __future__ import annotations

import socket

_IDLE = 45.0  # seconds of silence before the first question, at most
_PAUSE = 15.0  # seconds between two questions, at most
_QUESTIONS = 3
_LONGEST = 2**31 - 1  # milliseconds that TCP_USER_TIMEOUT takes


def look_after_clients(sock: socket.socket, timeout: float) -> None:
    """Break connections accepted here whose client acknowledges nothing for three times `timeout` seconds: what was
    sent to it, or a question after silence. Our own time limits come first, since they know the cause (L4).
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
        if hasattr(socket, name):  # not everywhere
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
