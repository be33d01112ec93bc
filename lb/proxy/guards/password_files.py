"""The password files of one worker: read when they are needed, and again when they have changed.

It knows files. A file that is there no longer, or cannot be read, lets nobody in.
"""

from __future__ import annotations

import logging

from lb.errors import ProxyError
from lb.passwords.password_file import PasswordFile, read_password_file
from lb.tls.files.file_stamp import Stamp, is_settled, stamp_of

log = logging.getLogger("lb.proxy")

_SILENCE = 60.0  # seconds between two lines about one file


class PasswordFiles:
    """What was read of each file, and the stamp that it had."""

    __slots__ = ("_read", "_silent_until")

    def __init__(self) -> None:
        self._read: dict[str, tuple[Stamp, PasswordFile]] = {}
        self._silent_until: dict[str, float] = {}

    def find(self, path: str, now: float) -> PasswordFile:
        """The file as it is; `now` in seconds. Raises ProxyError: password_file_not_readable."""
        stamp = stamp_of(path)
        known = self._read.get(path)
        if known is not None and stamp and known[0] == stamp:
            return known[1]
        try:
            data = read_password_file(path)
        except OSError as error:
            self._read.pop(path, None)
            self._say(path, error, now)
            raise ProxyError("password_file_not_readable") from None
        file = PasswordFile(data)
        # A stamp that may stand for two contents is not kept: the file is read again with the next request.
        self._read[path] = (stamp if is_settled(stamp) else (), file)
        return file

    def _say(self, path: str, error: OSError, now: float) -> None:
        if now >= self._silent_until.get(path, 0.0):
            self._silent_until[path] = now + _SILENCE
            reason = (error.strerror or "").lower()
            log.error("the password file %s cannot be read: %s. Nobody gets in until it can", path, reason)
