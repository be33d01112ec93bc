"""When a place is filled again after a death: at once, or later each time if the child dies early; and when never.

It knows children and a clock, and nothing of who starts them.
"""

from __future__ import annotations

from lb.process.child import Child

EARLY = 1.0  # seconds; a death before is an early one
LAST_STRAW = 5  # early deaths in a row of a worker that end the service
_BACKOFF, _BACKOFF_LIMIT = 0.05, 10.0  # seconds: the first wait, doubled each time, and the longest


def after_death(child: Child, now: float, lived: float) -> None:
    """Says when the next one is due, after one that `lived` for so many seconds."""
    if lived >= EARLY:
        child.early_deaths, child.due = 0, now
    else:
        after_failure(child, now)


def after_failure(child: Child, now: float) -> None:
    """The same after one that did not come to live."""
    child.early_deaths += 1
    child.due = now + min(_BACKOFF * 2 ** (child.early_deaths - 1), _BACKOFF_LIMIT)


def is_hopeless(child: Child) -> bool:
    """Whether this is a worker that cannot work. The service does without an assistant."""
    return not child.role.is_assistant and child.early_deaths >= LAST_STRAW


def in_words(child: Child, now: float) -> str:
    """What comes next, for the log."""
    if is_hopeless(child):
        return "none follows"
    wait = (child.due or now) - now
    return f"the next one starts in {wait:.2g} s" if wait else "another one starts now"
