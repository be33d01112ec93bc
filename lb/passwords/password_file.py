"""A file of users and the hashes of their passwords, as htpasswd writes it: `user:hash` on each line.

Lines that say nothing (blank, or with # in front) are skipped; of a user who is there twice the first line counts, and
what follows a second colon is a remark, as in Apache and nginx. When a file is read is for others to know.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

from lb.passwords.password_hash import BadHashError, PasswordHash, parse_hash

_LARGEST = 1 << 20
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def read_password_file(path: str) -> bytes:
    """The content of a file. Raises OSError, also for what is no regular file, which might be waited for, and for what
    is too large.
    """
    descriptor = os.open(path, _FLAGS)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", path)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(_LARGEST + 1)
    finally:
        os.close(descriptor)
    if len(data) > _LARGEST:
        raise OSError(errno.EFBIG, f"it is larger than {_LARGEST >> 20} MiB", path)
    return data


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that lets nobody in: its number, what is wrong with it, and what to write."""

    number: int
    message: str
    hint: str


class PasswordFile:
    """The users of one file. A hash is looked at when its user is asked for: a file may have thousands."""

    __slots__ = ("_hashes", "_order")

    def __init__(self, data: bytes) -> None:
        self._hashes: dict[bytes, bytes] = {}
        for _, user, text in _lines(data):
            if user:
                self._hashes.setdefault(user, text)
        self._order = tuple(self._hashes)

    def __len__(self) -> int:
        return len(self._order)

    def of(self, user: bytes) -> PasswordHash | None:
        """The user's hash; None for an unknown one, and for a hash that cannot be verified."""
        text = self._hashes.get(user)
        if text is None:
            return None
        try:
            return parse_hash(text)
        except BadHashError:
            return None

    def stand_in(self, user: bytes, secret: bytes) -> PasswordHash | None:
        """The hash of somebody else, always the same for an unknown user: verifying a password against it takes as long
        as if the user were known. None if the file has no hash that can be verified.
        """
        first = int.from_bytes(blake2b(user, digest_size=8, key=secret).digest(), "big") % max(len(self._order), 1)
        for other in (self._order[first:] + self._order[:first])[:_TRIED]:
            found = self.of(other)
            if found is not None:
                return found
        return None


_TRIED = 16  # users of whom one has a proper hash


def bad_lines(data: bytes) -> Iterator[BadLine]:
    """The lines of a file that let nobody in."""
    seen: dict[bytes, int] = {}
    for number, user, text in _lines(data):
        if not user:
            yield BadLine(number, "the line has no user", "write user:hash")
            continue
        if user in seen:
            yield BadLine(number, f"the user stands in line {seen[user]}, too, which counts", "remove one of the two")
            continue
        seen[user] = number
        try:
            parse_hash(text)
        except BadHashError as error:
            yield BadLine(number, str(error.args[0]), str(error.args[1]))


def _lines(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        text = line.strip()
        if text and not text.startswith(b"#"):
            user, _, rest = text.partition(b":")
            yield number, user, rest.partition(b":")[0].strip()
