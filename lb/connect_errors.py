"""What a failed connection to an instance means: errno → cause code of `errors`; and TLS where plain HTTP was expected.

Knows no sockets: only numbers and first bytes.
"""

from __future__ import annotations

import errno
import os

_OF_CONNECTING = {
    errno.ECONNREFUSED: "connection_refused",
    errno.ECONNRESET: "connection_terminated",
    errno.ECONNABORTED: "connection_terminated",
    errno.EPIPE: "connection_terminated",
    errno.ETIMEDOUT: "connection_timeout",
    errno.EHOSTUNREACH: "destination_ip_unroutable",
    errno.EHOSTDOWN: "destination_ip_unroutable",
    errno.ENETUNREACH: "destination_ip_unroutable",
    errno.ENETDOWN: "destination_ip_unroutable",
    errno.EACCES: "connection_not_permitted",
    errno.EPERM: "connection_not_permitted",
    errno.ENOENT: "socket_not_found",
    errno.ENOTDIR: "socket_not_found",
    errno.ELOOP: "socket_not_found",
    errno.ENOTSOCK: "not_a_socket",
    errno.EPROTOTYPE: "not_a_socket",  # a datagram socket
    errno.EADDRNOTAVAIL: "local_resources_unavailable",  # no free port, or no address of that family
    errno.EAFNOSUPPORT: "local_resources_unavailable",
    errno.ENOBUFS: "local_resources_unavailable",
    errno.ENOMEM: "local_resources_unavailable",
}


def connecting_cause(error: int) -> str:
    """The cause code for the errno of a failed connection to an instance."""
    return _OF_CONNECTING.get(error, "connection_failed")


def connecting_detail(code: str, error: int) -> str:
    """What the errno adds to its cause code; "" if nothing. Never an address."""
    return os.strerror(error).lower() if code in ("connection_failed", "local_resources_unavailable") else ""


def looks_like_tls(data: bytes) -> bool:
    """Whether a response to plain HTTP begins with a TLS record: an alert or a handshake, of version 3.0 to 3.4."""
    return len(data) > 2 and data[0] in (0x15, 0x16) and data[1] == 3 and data[2] <= 4
