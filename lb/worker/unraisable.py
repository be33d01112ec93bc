"""What becomes of exceptions that have nobody to go to (`sys.unraisablehook`), in a process that clients speak with.

Python writes five lines about each of them. One kind is made by clients: a server name that is not ASCII, which `ssl`
cannot decode before it asks anybody. That one is counted; of all others a line a second is bound to be enough. It knows
nothing of handshakes but this.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_PAUSE = 1.0  # seconds between two that are written


class Unraisable:
    """The hook. `on_name` is told of each server name that could not be decoded."""

    def __init__(self, on_name: Callable[[], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._on_name = on_name
        self._clock = clock
        self._next = 0.0

    def __call__(self, unraisable: UnraisableHookArgs) -> None:
        error = unraisable.exc_value
        # `object` is the name, and from Python 3.13 on None
        if isinstance(error, UnicodeDecodeError) and isinstance(unraisable.object, bytes | None):
            self._on_name()
            return
        now = self._clock()
        if now >= self._next:
            self._next = now + _PAUSE
            sys.__unraisablehook__(unraisable)
