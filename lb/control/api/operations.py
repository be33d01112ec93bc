"""The operations of a running service, requested by a signal or over the control socket.

It knows the commands, and that changes exclude each other. The supervisor starts, drains and reloads children, `server`
transports requests and answers, `upgrade/launch` starts a successor.
"""

from __future__ import annotations

import logging
import os
import selectors
from collections.abc import Callable
from dataclasses import asdict
from typing import Protocol

from lb.control.api.command import Command
from lb.control.api.server import Answer, Commands, Reply
from lb.control.reload.steps import ReloadOutcome
from lb.control.upgrade.boot_context import BootContext
from lb.control.upgrade.handover import Handover
from lb.control.upgrade.launch import Upgrade
from lb.telemetry.process_kind import ProcessKind

log = logging.getLogger("lb.control")

_LOOK = 5.0  # seconds between two checks of the control socket: as often as the watchdog asks
_COMMANDS = {command.value: command for command in Command}


class Supervised(Protocol):
    """What the supervisor does on request."""

    def refusal(self) -> str:
        """Why there can be no upgrade now, or ""."""

    def change(self, done: Callable[[ReloadOutcome], None]) -> None:
        """Reload the configuration; `done` gets the outcome."""

    def retire(self, successor: int) -> None:
        """Process `successor` serves the same sockets: finish what is open, and end."""

    def release(self, kind: ProcessKind, done: Callable[[], None]) -> None:
        """End the assistant of this kind; `done` is called when it has ended. Only for a draining service."""


class Operations:
    """`describe` returns the service's status, `bequeath` what a successor gets. Commands are accepted on the control
    socket of `origin`, if it has one.
    """

    def __init__(self, describe: Callable[[], Answer], bequeath: Callable[[], Handover], origin: BootContext) -> None:
        self._describe = describe
        self._bequeath = bequeath
        self._origin = origin
        self._commands: Commands | None = None
        self._upgrade: Upgrade | None = None
        self._drains = False
        self._next_look = 0.0  # the next check of the control socket

    def begin(self, selector: selectors.BaseSelector, service: Supervised) -> None:
        """From now on it acts for `service`, in its `selector`; call this first."""
        self._selector = selector
        self._service = service
        self._take_commands()

    def service_serves(self) -> None:
        """The service serves for the first time: a predecessor may retire."""
        self._origin.succeed()
        self._take_commands()

    @property
    def upgrading(self) -> bool:
        """Whether a successor is starting: nothing else may change then."""
        return self._upgrade is not None

    @property
    def successor(self) -> int:
        """The process that is to succeed this one; 0 if there is none."""
        return self._upgrade.pid if self._upgrade is not None else 0

    def upgrade(self, reply: Reply = lambda _: None) -> None:
        """Start a successor; `reply` gets the outcome."""
        if reason := self._refusal():
            log.error("not upgraded: %s", reason)
            reply({"ok": False, "error": reason})
            return
        log.info("upgrade: starting a successor on the same sockets")

        def succeeded(pid: int) -> None:
            self._upgrade = None
            reply({"ok": True, "successor": pid, "predecessor": os.getpid()})
            self._service.retire(pid)

        def failed(reason: str, status: int | None) -> None:
            self._upgrade = None
            log.error("the upgrade failed, and this version continues: %s", reason.partition("\n")[0])
            reply({"ok": False, "error": reason, "status": status})

        attempt = Upgrade(self._selector, succeeded, failed)
        try:
            attempt.start(self._bequeath())
        except OSError as error:
            failed(f"it cannot be started: {error}", None)
        else:
            self._upgrade = attempt

    # The supervisor's round

    @property
    def due(self) -> float | None:
        """When `meet_deadlines` has something to do, in seconds of the monotonic clock."""
        commands = self._commands.due if self._commands is not None else None
        upgrade = self._upgrade.due if self._upgrade is not None else None
        look = None if self._commands is None else self._next_look
        return min((at for at in (commands, upgrade, look) if at is not None), default=None)

    def meet_deadlines(self, now: float) -> None:
        if self._commands is not None:
            self._commands.expire(now)
            self._look(now)
        if self._upgrade is not None:
            self._upgrade.meet_deadlines(now)

    def _look(self, now: float) -> None:
        """The control socket may have been removed. A service that drains, or is being replaced, gives up its names."""
        assert self._commands is not None  # noqa: S101  checked by the caller
        if now < self._next_look:
            return
        self._next_look = now + _LOOK
        if not self._drains and self._upgrade is None and (listener := self._origin.keep_meeting()) is not None:
            self._commands.move(listener)

    def child_ended(self) -> None:
        """A child has ended: it may be the successor."""
        if self._upgrade is not None:
            self._upgrade.look()

    def drain(self) -> None:
        """The service ends: it still reports its progress, but the next service of the same file can have the name."""
        if self._upgrade is not None:
            self._upgrade.give_up("the service was stopped meanwhile")
        self._drains = True
        self._origin.step_back()

    def end(self) -> None:
        """The service has ended, or another one serves this file."""
        if self._upgrade is not None:
            self._upgrade.give_up("the service was stopped meanwhile")
        if self._commands is not None:
            self._commands.close()
        self._origin.give_up()

    def forget(self) -> None:
        """In a child: closes what is the supervisor's alone."""
        if self._commands is not None:
            self._commands.forget()
        if self._upgrade is not None:
            self._upgrade.forget()
        self._origin.forget()

    def _take_commands(self) -> None:
        if self._commands is None and self._origin.meeting is not None:
            self._commands = Commands(self._origin.meeting.listener, self._do)
            self._commands.register(self._selector)

    def _do(self, command: str, reply: Reply) -> None:
        known = _COMMANDS.get(command)
        if known is Command.STATUS:
            reply({"ok": True, **self._describe()})
        elif known is Command.RELOAD:
            self._service.change(lambda outcome: reply({"ok": outcome.ok, **asdict(outcome)}))
        elif known is Command.UPGRADE:
            self.upgrade(reply)
        elif known is Command.RELEASE_ADMIN and self._drains:
            self._service.release(ProcessKind.ADMIN, lambda: reply({"ok": True}))
        elif known is Command.RELEASE_ADMIN:
            reply({"ok": False, "error": "this service is not draining"})
        else:
            reply({"ok": False, "error": f"this lb has no command {command!r}"})

    def _refusal(self) -> str:
        """Why there can be no upgrade now, or ""."""
        if os.getpid() == 1:
            return "this is the first process of its container, which ends with it: start a new container instead"
        if self._upgrade is not None:
            return "an upgrade is under way already"
        return self._service.refusal()
