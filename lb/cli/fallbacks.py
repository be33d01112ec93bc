"""Slower or less safe fallbacks in use, and how to replace them: text for `lb version`, `lb status`, the banner.

The input is a description of the build, possibly that of a service of another version; what it describes is not
imported.
"""

from __future__ import annotations

from collections.abc import Mapping


def fallbacks(build: Mapping[str, str]) -> list[str]:
    """What is missing, each with the way to get it."""
    found = []
    if build.get("engine", "compiled") != "compiled":
        found.append("the compiled engine: reinstall with a C compiler and Python's headers")
    if not build.get("loop", "uvloop").startswith("uvloop"):
        found.append("uvloop: `pip install uvloop`")
    return found


def warnings(build: Mapping[str, str]) -> list[str]:
    """The same as sentences, and what makes this build less safe."""
    found = [f"running without {text}" for text in fallbacks(build)]
    if build.get("openssl_access", "full") != "full":
        found.append(
            "lb cannot call this Python's OpenSSL: the keys of session tickets stay the same while lb runs, and no "
            "domain can have client_ca; use a Python whose ssl module is a file of its own, such as the system's"
        )
    return found
