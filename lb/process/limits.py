"""Settings of the interpreter and the kernel for a serving process, each with its reason."""

from __future__ import annotations

import gc
import resource

# Objects of a request are freed by reference counting; the collector finds only rare cycles. At the default of 700 it
# would run every few dozen requests, each time over all objects of young connections.
_YOUNG_OBJECTS = 20_000


def raise_descriptor_limit() -> int:
    """Raises the soft limit of open files to the hard one, and returns it: a client connection and its instance take
    two descriptors.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):  # macOS reports "unlimited" but allows less
        return soft
    return hard


def calm_garbage_collector() -> None:
    """Call this when all permanent objects exist: they are never scanned again, and stay shared after a fork."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 20)
