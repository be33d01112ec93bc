"""Verifies passwords beside the event loop: a few at once, a bounded number that waits, and right ones remembered.

A right pair of user and password is remembered for a minute as a keyed hash, together with the hash that it was
verified against: when the file has another one, or no such user, it is not remembered. Requests that bring one pair at
the same time wait for one verification. It knows hashes and threads; what is asked, and what a wrong password leads
to, is for its callers to know.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from hashlib import blake2b

from lb.errors import ProxyError
from lb.passwords.password_hash import PasswordHash, verify

log = logging.getLogger("lb.proxy")

Told = Callable[[bool | None], None]
"""Told whether a password is right; None if that could not be found out."""

_AT_ONCE = 2
_MOST_WAITING = 64
_REMEMBERED = 60.0  # seconds
_MOST_REMEMBERED = 4096
_NICE = 10


class PasswordChecker:
    """The verifications of one worker."""

    __slots__ = ("_loop", "_pool", "_right", "_running", "secret")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pool: ThreadPoolExecutor | None = None
        self._running: dict[bytes, list[Told]] = {}
        self._right: dict[bytes, float] = {}  # when each is forgotten, the soonest first
        self.secret = os.urandom(32)

    def mark(self, known: PasswordHash, user: bytes, password: bytes) -> bytes:
        """What stands for this pair and the hash that it is compared with."""
        digest = blake2b(key=self.secret, digest_size=32)
        for part in (known.text, user, password):
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.digest()

    def remembers(self, mark: bytes, now: float) -> bool:
        """Whether this pair was right less than a minute ago; `now` in seconds."""
        return self._right.get(mark, now) > now

    def remember(self, mark: bytes, now: float) -> None:
        """It is right."""
        self._right.pop(mark, None)
        while self._right:
            oldest = next(iter(self._right))
            if self._right[oldest] > now and len(self._right) < _MOST_REMEMBERED:
                break
            del self._right[oldest]
        self._right[mark] = now + _REMEMBERED

    def is_running(self, mark: bytes) -> bool:
        """Whether this pair is being verified."""
        return mark in self._running

    def verify(self, mark: bytes, known: PasswordHash, password: bytes, told: Told) -> None:
        """Verify, and tell on the loop. Raises ProxyError: authentication_busy."""
        waiting = self._running.get(mark)
        if waiting is not None:
            waiting.append(told)
            return
        if len(self._running) >= _AT_ONCE + _MOST_WAITING:
            raise ProxyError("authentication_busy")
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_AT_ONCE, "lb-passwords", _step_back)
        self._running[mark] = [told]
        self._pool.submit(verify, known, password).add_done_callback(lambda future: self._done(mark, future))

    def close(self) -> None:
        """Verify no more."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _done(self, mark: bytes, future: Future[bool]) -> None:
        """In the thread."""
        with suppress(RuntimeError):  # the loop is closed: the worker ends
            self._loop.call_soon_threadsafe(self._tell, mark, future)

    def _tell(self, mark: bytes, future: Future[bool]) -> None:
        waiting = self._running.pop(mark, ())
        if future.cancelled():
            return
        error = future.exception()
        if error is not None:
            log.error("a password could not be verified", exc_info=error)
        for told in waiting:
            told(future.result() if error is None else None)


def _step_back() -> None:
    """Let the threads that serve go first: a hash is meant to take long."""
    if sys.platform == "linux":  # where a thread has a niceness of its own
        os.nice(_NICE)
