"""The files that one worker has found lately, by route and path: open, or in memory, for a moment.

What was found is believed for a second; then it is looked for again, and only what has changed is read again. So a file
that is replaced is seen within a second, and one that is deleted keeps its descriptor (and its place on the disk) no
longer than it is used and a few seconds more. The number of entries and their bytes are bounded; nothing that is not
there is remembered. Looking costs a few calls on the local disk, and no connection waits for more than those.
"""

from __future__ import annotations

import errno
import os
import time
from collections import OrderedDict
from weakref import WeakValueDictionary

from lb.errors import ProxyError
from lb.http.file_path import FilePath, directory_location
from lb.http.media_types import CODINGS
from lb.proxy.descriptors import OURS
from lb.proxy.files.beneath import open_beneath
from lb.proxy.files.found_file import FoundFile
from lb.proxy.files.open_file import NotAFileError, OpenFile, must_exist
from lb.routing.file_rule import FileRule

LIFE = 1.0
"""Seconds for which what was found is believed."""

_UNUSED = 4.0  # seconds after which an entry goes that nobody has asked for
_MOST = 1024  # entries
_MOST_OPEN = 64  # descriptors
_MOST_BYTES = 16 << 20
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

_Key = tuple[FileRule, bytes]


class _Shared(OpenFile):
    """A file that is found again for as long as somebody sends from it."""

    __slots__ = ("__weakref__",)


_in_use: WeakValueDictionary[tuple[int, int], _Shared] = WeakValueDictionary()


class FileCache:
    """The files of one worker."""

    __slots__ = ("_bytes", "_found", "_open")

    def __init__(self) -> None:
        self._found: OrderedDict[_Key, FoundFile] = OrderedDict()  # the one first that was looked at longest ago
        self._bytes = self._open = 0

    def __len__(self) -> int:
        return len(self._found)

    def find(self, rule: FileRule, path: bytes, now: float) -> FoundFile:
        """The file that a URL's path names, at `now` of the monotonic clock.

        Raises ProxyError: file_not_found, file_not_permitted, file_not_readable, out_of_descriptors.
        """
        key = rule, path
        found = self._found.get(key)
        if found is not None and now - found.looked < LIFE:
            return found
        return self._look(rule, path, key, self._forget(key), now)

    def _look(self, rule: FileRule, path: bytes, key: _Key, before: FoundFile | None, now: float) -> FoundFile:
        try:
            found = _look(rule, path, before)
        except OSError as error:
            self._fail(error)
            raise
        found.looked = now
        found.grown = self._grow
        self._found[key] = found
        self._bytes += found.weight
        self._open += found.descriptors
        while self._is_too_much() and len(self._found) > 1:
            self._forget(next(iter(self._found)))
        return found

    def _grow(self, size: int) -> None:
        """An entry has grown by what was compressed."""
        self._bytes += size

    def clear(self) -> int:
        """Let go of everything; so many descriptors are free then, unless somebody still sends from them."""
        freed = self._open
        self._found.clear()
        self._bytes = self._open = 0
        return freed

    def sweep(self, now: float) -> None:
        """Let go of what nobody has asked for lately."""
        while self._found:
            key, found = next(iter(self._found.items()))
            if now - found.looked < _UNUSED:
                return
            self._forget(key)

    def _is_too_much(self) -> bool:
        return len(self._found) > _MOST or self._bytes > _MOST_BYTES or self._open > _MOST_OPEN

    def _forget(self, key: _Key) -> FoundFile | None:
        found = self._found.pop(key, None)
        if found is not None:
            self._bytes -= found.weight
            self._open -= found.descriptors
        return found

    def _fail(self, error: OSError) -> None:
        number = error.errno or errno.EIO
        if number in OURS:
            self.clear()
            raise ProxyError("out_of_descriptors") from None
        if not must_exist(number):
            raise ProxyError("file_not_found") from None
        if number in (errno.EACCES, errno.EPERM):
            raise ProxyError("file_not_permitted") from None
        raise ProxyError("file_not_readable", os.strerror(number).lower()) from None


def _look(rule: FileRule, path: bytes, before: FoundFile | None) -> FoundFile:
    """Look for it on the disk. Raises OSError, ProxyError."""
    wanted = rule.file_of(path)
    if wanted is None:
        raise ProxyError("file_not_found")
    root = os.open(rule.root, _DIRECTORY)
    try:
        try:
            return _at(root, rule, path, wanted, before)
        except OSError as error:
            if rule.fallback is None or must_exist(error.errno or errno.EIO):
                raise
            # It stands for other paths, and must not be kept where a file that comes there later would be hidden.
            return _file(root, rule, rule.fallback, before, cache_control=b"no-cache")
    finally:
        os.close(root)


def _at(root: int, rule: FileRule, path: bytes, wanted: FilePath, before: FoundFile | None) -> FoundFile:
    if not wanted.of_directory and wanted.name:
        try:
            return _file(root, rule, wanted.name, before)
        except NotAFileError as error:
            if not error.is_directory:
                raise
    if rule.index is None:
        raise NotAFileError(is_directory=True)
    index = _file(root, rule, wanted.name + b"/" + rule.index if wanted.name else rule.index, before)
    if not wanted.of_directory:
        index.location = directory_location(path)
    return index


def _file(
    root: int, rule: FileRule, name: bytes, before: FoundFile | None, cache_control: bytes | None = None
) -> FoundFile:
    now = time.time_ns()
    if cache_control is None:
        cache_control = rule.cache_control
    plain = _opened(open_beneath(root, name), now, before.plain.file if before is not None else None)
    coded = {}
    for coding, end in CODINGS:
        try:
            sibling = before.coded.get(coding) if before is not None else None
            coded[coding] = _opened(open_beneath(root, name + end), now, sibling.file if sibling is not None else None)
        except NotAFileError:
            continue
        except OSError as error:
            if error.errno in OURS:
                raise
    found = FoundFile(plain, name, coded, cache_control, rule.compression)
    if before is not None:
        found.keep_from(before)
    return found


def _opened(fd: int, now: int, before: OpenFile | None) -> OpenFile:
    """The file of this descriptor, which is taken over. One that is open already and has not changed is the same for
    all who ask, by whatever path and at whatever time: slow clients of one file hold one descriptor.
    """
    made = _Shared(fd, now, before)
    if made.fd < 0:
        return made
    status = os.fstat(made.fd)
    key = status.st_dev, status.st_ino
    known = _in_use.get(key)
    if known is not None and made.is_same(known):
        return known
    _in_use[key] = made
    return made
