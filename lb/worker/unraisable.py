"""Handles unraisable exceptions (`sys.unraisablehook`) in a process that serves clients.

Python writes five lines about each. Clients can cause one kind: a server name that is not ASCII, which `ssl` fails to
decode before it calls any callback. That kind is counted; of all others, one line a second is enough. It knows nothing
else about handshakes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_PAUSE = 1.0  # seconds between two lines


class Unraisable:
    """The hook. `on_name` is called for each server name that could not be decoded."""

    def __init__(self, on_name: Callable[[], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._on_name = on_name
        self._clock = clock
        self._next = 0.0

    def __call__(self, unraisable: UnraisableHookArgs) -> None:
        error = unraisable.exc_value
        # `object` is the name; None from Python 3.13 on
        if isinstance(error, UnicodeDecodeError) and isinstance(unraisable.object, bytes | None):
            self._on_name()
            return
        now = self._clock()
        if now >= self._next:
            self._next = now + _PAUSE
            sys.__unraisablehook__(unraisable)
