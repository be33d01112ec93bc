"""What operators ask of a running service over its command socket, and what that does.

It knows the commands; how children are started, drained and reloaded is the supervisor's, how the asking and answering
goes is `commands`'.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable

from lb.control.commands import Answer, Commands, Reply
from lb.control.rendezvous import Meeting


class Operations:
    """Serves the command socket of `meeting`; `describe` gives the service's status."""

    def __init__(self, meeting: Meeting, describe: Callable[[], Answer]) -> None:
        self._meeting = meeting
        self._describe = describe
        self._commands = Commands(meeting.listener, self._do)

    def begin(self, selector: selectors.BaseSelector) -> None:
        self._commands.register(selector)

    @property
    def due(self) -> float | None:
        """When `meet_deadlines` has something to do, in seconds of the monotonic clock."""
        return self._commands.due

    def meet_deadlines(self, now: float) -> None:
        self._commands.expire(now)

    def end(self) -> None:
        """The service drains: whoever starts next on the same file finds the place free."""
        self._commands.close()
        self._meeting.leave()

    def forget(self) -> None:
        """In a child: closes what is the supervisor's alone."""
        self._commands.forget()

    def _do(self, command: str, reply: Reply) -> None:
        if command == "status":
            reply({"ok": True, **self._describe()})
        else:
            reply({"ok": False, "error": f"this lb knows no command {command!r}"})
