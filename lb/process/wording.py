"""The wording of exit statuses and durations in log lines and commands."""

from __future__ import annotations

import signal

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_CRASHES = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT})


def death_in_words(status: int) -> str:
    """The text after the name of an ended process; `status` is minus the signal's number if one killed it."""
    if status == 0:
        return "ended unexpectedly (status 0)"
    if status > 0:
        return f"exited with status {status}"
    try:
        number = signal.Signals(-status)
    except ValueError:
        return f"was killed by signal {-status}"
    return f"was killed by {number.name}{_reason(number)}"


def _reason(number: signal.Signals) -> str:
    if number == signal.SIGKILL:
        return " (by a user, or by the kernel when memory ran out)"
    if number in _CRASHES:
        hung = ", or it hung" if number == signal.SIGABRT else ""
        return f": it crashed ({signal.strsignal(number)}){hung}"
    return ""


def lifetime(seconds: float) -> str:
    """`0.3 s`, `2 h 5 min`: precise if it is short."""
    return f"{seconds:.1f} s" if seconds < 60 else duration(seconds)


def duration(seconds: float) -> str:
    """`3 d 2 h`, `5 min 10 s`, `0 s`: the two largest units."""
    left, parts = int(seconds), []
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"
