"""The last lines of a failed step → what to do next, where they tell.

This file knows the words of pip, uv, compilers and Python; "" is the answer to all that it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_COMPILER = (
    r"(?:command '?|unable to execute '?)?[\w.-]*(?:gcc|g\+\+|\bcc)'?(?:'|:)? (?:failed: )?No such file or directory"
)
_OFFLINE = r"Temporary failure in name resolution|Failed to establish a new connection|Connection refused|timed out"
# What a line says → the next step; the first pattern that any line matches decides, and groups fill the step.
_STEPS = {
    r"No space left on device|disk quota exceeded": "free space on the engine's disk, then deploy again",
    r"DO NOT MATCH THE HASHES": "a package differs from its --hash: find out why it does before you write it anew",
    r"No matching distribution found for ([^\s(]+)": "check the name and version of {0}, and which Python it needs",
    r"conflicting dependencies|ResolutionImpossible|No solution found": "loosen the version of one of the packages",
    r"Cannot find command '?(git|hg|svn|bzr)": "install {0} on this machine: apt-get install {0}",
    _COMPILER: "install a compiler on this machine: apt-get install build-essential",
    r"(?:rustc|cargo)\b.*(?:not found|not installed|required)": "install Rust on this machine: apt-get install cargo",
    r"Python\.h: No such file": "install Python's headers on this machine: apt-get install python3-dev",
    r"fatal error: (\S+\.h): No such file": "install the package that brings {0}: apt-file search {0}",
    r"pg_config executable not found": "install it (apt-get install libpq-dev), or use psycopg2-binary",
    r"Could not open requirements file: .*?'([^']+)'": "add {0} to the project, or remove the line that includes it",
    _OFFLINE: "the package index cannot be reached: check the network, and pip's own configuration",
    r"40[13] (?:Client )?Error|HTTP error 40[13]": "the index refuses: check the credentials in its URL",
    r"SECRET_KEY|KeyError: '[A-Z][A-Z0-9_]+'": (
        "a build sees no variables: write exposeEnvironmentsOnBuild: true into leanengine.yaml"
    ),
    r"Permission denied|Read-only file system": "a build writes below the project's folder only",
    r"MemoryError|Cannot allocate memory|std::bad_alloc": "engine.build.memory sets how much memory a build gets",
}
_KNOWN = tuple((re.compile(pattern, re.IGNORECASE), step) for pattern, step in _STEPS.items())


def next_step_after(tail: Sequence[str]) -> str:
    """What to do after a step that wrote these lines last."""
    for pattern, next_step in _KNOWN:
        for line in reversed(tail):
            if (found := pattern.search(line)) is not None:
                return next_step.format(*(group or "" for group in found.groups()))
    return ""
