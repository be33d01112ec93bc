"""What a serving process asks of the interpreter and the kernel, each with its reason."""

from __future__ import annotations

import gc
import resource

# Objects of a request die by their reference counts; what the collector finds are rare cycles. At the default of 700
# it would run every few dozen requests, each time over all that young connections hold.
_YOUNG_OBJECTS = 20_000


def raise_descriptor_limit() -> int:
    """Raises the soft limit of open files to the hard one, and returns it: a connection with its instance is two
    descriptors.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):  # macOS says "unlimited" and means less
        return soft
    return hard


def calm_garbage_collector() -> None:
    """Call when all that lives as long as the process is made: it is never looked at again, and stays shared after a
    fork.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 20)
