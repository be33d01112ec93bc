"""What runs here in a lesser form than it could, and how to mend that: words for `lb version`, `lb status`, the banner.

It judges a description of the build, which may be that of a service of another version; it imports nothing of what it
judges.
"""

from __future__ import annotations

from collections.abc import Mapping


def fallbacks(build: Mapping[str, str]) -> list[str]:
    """What runs in a slower form than it could, each with the way to mend it."""
    found = []
    if build.get("engine", "compiled") != "compiled":
        found.append("the compiled engine: install again with a C compiler and Python's headers at hand")
    if not build.get("loop", "uvloop").startswith("uvloop"):
        found.append("uvloop: `pip install uvloop`")
    return found


def warnings(build: Mapping[str, str]) -> list[str]:
    """The same as sentences, and what is less safe than it could be."""
    found = [f"running without {text}" for text in fallbacks(build)]
    if build.get("openssl_access", "full") != "full":
        found.append(
            "this Python's OpenSSL cannot be reached: the keys of session tickets stay the same while lb runs, and no "
            "domain can have client_ca; use a Python whose ssl module is a file of its own, such as the system's"
        )
    return found
