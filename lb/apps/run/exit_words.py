"""How an instance ended, in words: the engine's messages and the instance's own log say the same.

The shim loads this file, so it imports what the shim has anyway.
"""

from __future__ import annotations

import signal


def exit_sentence(
    status: int | None, number: int | None, cause: str, detail: str, *, asked: bool, left_foreground: bool
) -> str:
    """`exited with status 3`, `was killed for memory (512 MB)` …: what follows the instance's name."""
    if cause == "start":
        return f"could not be started: {detail}"
    if cause == "memory":
        return f"was killed for memory ({detail})" if detail else "was killed for memory"
    if cause == "files":
        return f"was ended because its files exceeded the quota ({detail})"
    if cause == "processes":
        return f"was ended because it had more than {detail} processes"
    if cause == "lost":
        return "was lost: its shim was killed, so nobody saw how it ended"
    if left_foreground:
        return "left the foreground (its main process exited with status 0 and others stayed)"
    if asked and number == signal.SIGKILL:
        return "ignored SIGTERM until its time was up, and was killed"
    if number is not None:
        return f"was killed by {_signal_name(number)}"
    return f"exited with status {status}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
