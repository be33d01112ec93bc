"""When a place is filled again after a death: at once, later each time if the child dies early, or never.

It knows children and a clock, but not how they are started.
"""

from __future__ import annotations

from lb.process.child import Child

EARLY = 1.0  # seconds; a death before that is an early one
LAST_STRAW = 5  # consecutive early deaths of a worker after which the service ends
_BACKOFF, _BACKOFF_LIMIT = 0.05, 10.0  # seconds: the first wait, doubled each time, and the longest


def after_death(child: Child, now: float, lived: float) -> None:
    """Sets when the next one is due, after one that `lived` for so many seconds."""
    if lived >= EARLY:
        child.early_deaths, child.due = 0, now
    else:
        after_failure(child, now)


def after_failure(child: Child, now: float) -> None:
    """The same after one that could not be started."""
    child.early_deaths += 1
    child.due = now + min(_BACKOFF * 2 ** (child.early_deaths - 1), _BACKOFF_LIMIT)


def is_hopeless(child: Child) -> bool:
    """Whether this is a worker that keeps dying. The service can do without an assistant."""
    return not child.role.is_assistant and child.early_deaths >= LAST_STRAW


def in_words(child: Child, now: float) -> str:
    """What happens next, for the log."""
    if is_hopeless(child):
        return "it is not replaced"
    wait = (child.due or now) - now
    return f"the next one starts in {wait:.2g} s" if wait else "another one starts now"
