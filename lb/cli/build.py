"""What this `lb` is made of: version, engine, loop, transport, TLS; and whether that is all it could be."""

from __future__ import annotations

import platform
import ssl
from collections.abc import Mapping

from lb import __version__
from lb.proxy.engine import describe
from lb.worker.loop import loop_name


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
    }


def fallbacks(build: Mapping[str, str]) -> list[str]:
    """What runs in a slower form than it could, each with the way to mend it."""
    found = []
    if build["engine"] != "compiled":
        found.append("the compiled engine: install again with a C compiler and Python's headers at hand")
    if not build["loop"].startswith("uvloop"):
        found.append("uvloop: `pip install uvloop`")
    return found
