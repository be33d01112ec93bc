"""What an app is told about its client: X-Real-IP, X-Forwarded-For, X-Forwarded-Proto, Forwarded (RFC 7239) and Via.

Whatever a client sent under these names has been dropped when its head was read; here they are made anew from what is
known about the connection. Also checks that an upgrade is one that the client asked for. Knows neither connections nor
trust: the caller passes both in.
"""

from __future__ import annotations

from base64 import b64encode

from lb.http.head import RequestHead

MAX_PASSES = 5
"""How many of our Via entries a request may carry before it counts as a loop (H5)."""


def around_host(address: bytes, scheme: bytes, chain: bytes) -> tuple[bytes, bytes]:
    """The field lines for one client (H1, H2): the parts before and after the host, the only part that differs between
    requests.

    `address` is the client's; `chain` the X-Forwarded-For that goes on, original client first.
    """
    node = b'"[%b]"' % address if b":" in address else address
    before = b"X-Real-IP: %b\r\nX-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nForwarded: for=%b;host=" % (
        address,
        chain,
        scheme,
        node,
    )
    return before, b";proto=%b\r\nVia: 1.1 lb\r\n" % scheme


_SCHEMES = {b"http": b"http", b"https": b"https", b"ws": b"http", b"wss": b"https"}  # some name the protocol above it


def forwarded_scheme(head: RequestHead) -> bytes | None:
    """The scheme that X-Forwarded-Proto names: the last entry, which the nearest proxy wrote. None if it names none."""
    said = head.forwarded_proto
    return None if said is None else _SCHEMES.get(said.rpartition(b",")[2].strip().lower())


def client_certificate_line(der: bytes | None) -> bytes:
    """Client-Cert (RFC 9440) for a certificate in DER form; empty without one."""
    return b"" if der is None else b"Client-Cert: :%b:\r\n" % b64encode(der)


def host_value(host: bytes) -> bytes:
    """A Host as RFC 7239 requires it: quoted unless it is a token; in a valid Host that concerns a port and an IPv6
    address.
    """
    return b'"%b"' % host if b":" in host or not host else host


def is_among(chosen: bytes | None, asked: bytes | None) -> bool:
    """Whether the client named every protocol that an instance switched to in its Upgrade field (RFC 9110 7.8)."""
    if chosen is None or asked is None:
        return False
    names = {name.strip().lower() for name in asked.split(b",")}
    return all(name.strip().lower() in names for name in chosen.split(b","))
