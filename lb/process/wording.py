"""Figures in the words of log lines and commands: how a process ended, how long something took. Nothing else."""

from __future__ import annotations

import signal

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_CRASHES = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT})


def death_in_words(status: int) -> str:
    """What follows the name of a process that ended; `status` is minus the signal's number if one killed it."""
    if status == 0:
        return "ended without being asked to (status 0)"
    if status > 0:
        return f"exited with status {status}"
    try:
        number = signal.Signals(-status)
    except ValueError:
        return f"was killed by signal {-status}"
    return f"was killed by {number.name}{_reason(number)}"


def _reason(number: signal.Signals) -> str:
    if number == signal.SIGKILL:
        return ": by somebody, or by the kernel for want of memory"
    if number in _CRASHES:
        hung = ", or hung and was ended" if number == signal.SIGABRT else ""
        return f": it crashed ({signal.strsignal(number)}){hung}"
    return ""


def lifetime(seconds: float) -> str:
    """`0.3 s`, `2 h 5 min`: exact where it is short."""
    return f"{seconds:.1f} s" if seconds < 60 else duration(seconds)


def duration(seconds: float) -> str:
    """`3 d 2 h`, `5 min 10 s`, `0 s`: the two largest units."""
    left, parts = int(seconds), []
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"
