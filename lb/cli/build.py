"""What this `lb` is made of: version, engine, loop, transport, TLS."""

from __future__ import annotations

import platform
import ssl

from lb import __version__
from lb.process.loop import loop_name
from lb.proxy.engine import describe
from lb.tls.handshake.openssl import reach


def describe_build() -> dict[str, str]:
    """Names and values in the order in which they are shown."""
    engine = describe()
    return {
        "version": __version__,
        "engine": engine["engine"],
        "loop": loop_name(),
        "transport": engine["transport"],
        "tls": engine["tls"],
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "openssl": ssl.OPENSSL_VERSION,
        "openssl_access": "full" if reach() is not None else "none",
    }
