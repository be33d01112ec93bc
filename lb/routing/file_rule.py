"""What a route says about the files that it serves, made at load time. Identity tells one rule from another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lb.http.file_path import FilePath, file_path
from lb.http.path_pattern import PathPattern, PatternEnding

if TYPE_CHECKING:
    from lb.routing.compression import Compression


class FileRule:
    """Files below the directory `root`. `index` is the name of the file that stands for a directory, `fallback` that of
    the file which is sent where there is none (single-page apps); both are None where there is no such. `cache_control`
    is the field's value, b"" for none; `compression` is how files are compressed that have no compressed sibling.
    """

    __slots__ = ("_exact", "_skip", "cache_control", "compression", "fallback", "index", "root")

    def __init__(self, root: bytes, pattern: PathPattern) -> None:
        self.root = root
        self.index: bytes | None = b"index.html"
        self.fallback: bytes | None = None
        self.cache_control = b""
        self.compression: Compression | None = None
        self._exact = pattern.ending is PatternEnding.EXACT
        self._skip = len(pattern.segments) - 1 if self._exact else len(pattern.segments)

    def file_of(self, path: bytes) -> FilePath | None:
        """The file that a URL's path names which the route's pattern matches: what stands behind the pattern, or the
        last segment where the pattern is exact. None where nothing may be served.
        """
        segments = path.split(b"/")[1 + self._skip :]
        if not segments:  # the prefix without its slash
            return FilePath(b"", of_directory=False)
        return file_path(b"/".join(segments))
