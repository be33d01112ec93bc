"""What an app is told about its client: X-Real-IP, X-Forwarded-For, X-Forwarded-Proto, Forwarded (RFC 7239) and Via.

Whatever a client sent under these names has been dropped when its head was read; here they are made anew from what is
known about the connection. Also checks that an upgrade is one that the client asked for. Knows neither connections nor
trust: the caller passes both in.
"""

from __future__ import annotations

from base64 import b64encode

MAX_PASSES = 5
"""How many of our Via entries a request may carry before it counts as a loop (H5)."""


def around_host(address: bytes, scheme: bytes, chain: bytes | None) -> tuple[bytes, bytes]:
    """The field lines for one client (H1, H2): the parts before and after the host, the only part that differs between
    requests.

    `address` is the connection's peer; `chain` the X-Forwarded-For of a trusted CDN, original client first, or None.
    """
    node = b'"[%b]"' % address if b":" in address else address
    for_chain = b"%b, %b" % (chain, address) if chain else address
    before = b"X-Real-IP: %b\r\nX-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nForwarded: for=%b;host=" % (
        address,
        for_chain,
        scheme,
        node,
    )
    return before, b";proto=%b\r\nVia: 1.1 lb\r\n" % scheme


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
