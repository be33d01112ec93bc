"""From the path of a request to the path of a file below a directory: pure, and the first of two fences around it.

A path is decoded once, segment by segment. Whatever could lead out of the directory, or mean something else to the file
system than to whoever looks at the URL, is refused: dot segments in any encoding, an encoded slash, a backslash, NUL
and other control characters, broken percent-encoding, hidden names but for `.well-known` (RFC 8615). The second fence,
which follows symbolic links, is where files are opened.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

_WELL_KNOWN = b".well-known"
_bad = re.compile(rb"[\x00-\x1f\x7f/\\]")
_broken = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class FilePath:
    """`name` is relative to the directory, without dot segments and empty ones, b"" for the directory itself;
    `of_directory` says that the URL ends as a directory's does.
    """

    name: bytes
    of_directory: bool


def file_path(rest: bytes) -> FilePath | None:
    """The file that `rest`, the part of a URL's path below the directory, names; None where nothing may be served.

    Empty segments are left out: `a//b` is `a/b`.
    """
    names = []
    segments = rest.split(b"/")
    for segment in segments:
        name = segment
        if b"%" in segment:
            if _broken.search(segment):
                return None
            name = unquote_to_bytes(segment)
        if not name:
            continue
        if (name.startswith(b".") and name != _WELL_KNOWN) or _bad.search(name):
            return None
        names.append(name)
    return FilePath(b"/".join(names), not segments[-1])


def directory_location(path: bytes) -> bytes:
    """Where a client is sent that asked for a directory without its slash. A path that begins with two slashes would
    be the name of another host.
    """
    return b"/" + path.lstrip(b"/") + b"/"
