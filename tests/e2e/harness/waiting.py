"""Waiting for a condition, never for a time: the only place of these tests that polls."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 15.0  # seconds that any single wait may take before the test fails
_STEP = 0.01


def wait_for(condition: Callable[[], T], what: str, patience: float = PATIENCE) -> T:
    """The first true value of `condition()`; AssertionError naming `what` when none came within `patience` seconds."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise AssertionError(f"waited {patience} s in vain for {what}; the last value was {value!r}")
        time.sleep(_STEP)


def wait_until_still(measure: Callable[[], int], what: str, still: float = 0.6, patience: float = 40.0) -> int:
    """The value of a growing figure once it has not grown for `still` seconds."""
    end = time.monotonic() + patience
    last, since = measure(), time.monotonic()
    while time.monotonic() < end:
        time.sleep(_STEP)
        now = measure()
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since >= still:
            return last
    raise AssertionError(f"{what} was still moving after {patience} s: {last}")
