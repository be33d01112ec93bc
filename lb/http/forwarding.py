"""What an app is told about its client: X-Real-IP, X-Forwarded-For, X-Forwarded-Proto, Forwarded (RFC 7239) and Via.

Whatever a client sent under these names has been dropped when its head was read; here they are made anew from what is known about the
connection. Knows neither connections nor trust: both are told.
"""

from __future__ import annotations

import re

_NOT_A_TOKEN = re.compile(rb"[^!#$%&'*+.^_`|~0-9A-Za-z-]").search
MAX_PASSES = 5
"""How many Via entries of ours a request may carry before it is taken to go round in a loop (H5)."""


def forwarded_fields(address: bytes, scheme: bytes, host: bytes, chain: bytes | None) -> bytes:
    """The field lines for one client and host (H1, H2).

    `address` is the connection's peer; `chain` the X-Forwarded-For of a trusted CDN, original client first, or None.
    """
    node = b'"[%b]"' % address if b":" in address else address
    for_chain = b"%b, %b" % (chain, address) if chain else address
    return (
        b"X-Real-IP: %b\r\nX-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nForwarded: for=%b;host=%b;proto=%b\r\nVia: 1.1 lb\r\n"
        % (address, for_chain, scheme, node, _token_or_quoted(host), scheme)
    )


def _token_or_quoted(value: bytes) -> bytes:
    if value and not _NOT_A_TOKEN(value):
        return value
    return b'"%b"' % value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
