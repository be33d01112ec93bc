"""What this `lb` is made of: version, engine, loop, transport, TLS."""

from __future__ import annotations

import platform
import ssl

from lb import __version__
from lb.process.loop import loop_name
from lb.proxy.io import wire
from lb.tls.handshake.openssl import reach


def describe_build() -> dict[str, str]:
    """Names and values in the order in which they are shown."""
    compiled = not wire.__file__.endswith(".py")
    return {
        "version": __version__,
        "engine": "compiled" if compiled else "python",
        "loop": loop_name(),
        "transport": "epoll" if compiled else "event loop",
        "tls": "openssl direct" if wire.DIRECT else "memory bio",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "openssl": ssl.OPENSSL_VERSION,
        "openssl_access": "full" if reach() is not None else "none",
    }
