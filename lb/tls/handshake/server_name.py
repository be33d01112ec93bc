"""Server names as clients send them in a handshake, and the one form in which they are compared.

They come from anyone, and may be anything. This file knows what a valid name is; it does not know which ones have
certificates.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

from lb.config.names import is_possible

_PRINTABLE = re.compile(r"[a-z0-9_-][a-z0-9._-]*", re.ASCII)


def server_name(name: str) -> str:
    """In lower case, without a final dot. Some clients add the port and an address's brackets, which RFC 6066 section 3
    does not allow: they are ignored, as in Host.
    """
    name = name.lower()
    if ":" in name:
        host, _, port = name.rpartition(":")
        if port.isascii() and port.isdigit() and (":" not in host or host.endswith("]")):
            name = host
        if name.startswith("[") and name.endswith("]"):
            name = name[1:-1]
    return name.removesuffix(".")


def is_name(name: str) -> bool:
    """Whether this form of a name is valid: only then may it be stored, and written into a log."""
    return is_possible(name) and _PRINTABLE.fullmatch(name) is not None


def is_address(name: str) -> bool:
    """Whether a client sends an address as a name, which RFC 6066 section 3 forbids and scanners do: it is no name."""
    try:
        ip_address(server_name(name))
    except ValueError:
        return False
    return True
