"""Notifications to a service manager: the sd_notify protocol over the datagram socket that NOTIFY_SOCKET names.

It knows messages and the watchdog's interval; the supervisor decides when to send. Without NOTIFY_SOCKET nothing is
sent, and an unreachable manager never stops the service: nothing here raises. Protocol: sd_notify(3),
sd_watchdog_enabled(3).
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping

log = logging.getLogger("lb.control")

_SOCKET, _INTERVAL, _WATCHED = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
_TIMEOUT = 0.2  # seconds that a full queue of the manager may block the supervisor
_LONGEST = 300  # characters of a status line; `systemctl status` shows one line


class Notifier:
    """Notifies the manager that `environ` names, if any. Times are seconds of the monotonic clock."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        environ = environ or {}
        self._address = _address(environ.get(_SOCKET, ""))
        self._every = _watchdog_interval(environ) if self._address else None
        self.due: float | None = None  # when the watchdog expects the next message: not before the service is ready

    def ready(self, status: str) -> None:
        """The service serves: after its start, or after a reload."""
        self._send("READY=1", _status(status))
        if self._every is not None and self.due is None:
            self.due = 0.0

    def reloading(self, status: str) -> None:
        """A reload has begun; `ready` ends it, whether it succeeded or not."""
        # The manager compares this with the moment at which it requested the reload.
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={now}", _status(status))

    def stopping(self, status: str, timeout: float) -> None:
        """The service ends within `timeout` seconds; asks the manager to wait so long."""
        self._send("STOPPING=1", f"EXTEND_TIMEOUT_USEC={timeout * 1e6:.0f}", _status(status))

    def status(self, status: str) -> None:
        self._send(_status(status))

    def main_process(self, pid: int) -> None:
        """From now on `pid` is the service's main process and sends the messages; this process sends no more."""
        self._send(f"MAINPID={pid}")
        self._address = self._every = self.due = None

    def beat(self, now: float) -> None:
        """Sends the watchdog's keep-alive if it is due, and sets `due` to the next one."""
        if self.due is not None and self._every is not None and self.due <= now:
            self.due = now + self._every
            self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.settimeout(_TIMEOUT)
                sock.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            log.warning("the service manager could not be sent %s: %s", lines[0], error.strerror or error)


def _address(text: str) -> str | None:
    """A path, or "@name" for an abstract one; no other kind is supported."""
    if text.startswith("@"):
        return "\0" + text[1:]
    return text if text.startswith("/") else None


def _status(text: str) -> str:
    """One line: a line break would begin another field."""
    return "STATUS=" + " ".join(text.split())[:_LONGEST]


def _watchdog_interval(environ: Mapping[str, str]) -> float | None:
    """Seconds between two keep-alives: half of what the manager allows, as sd_watchdog_enabled(3) advises."""
    if environ.get(_WATCHED, str(os.getpid())) != str(os.getpid()):
        return None  # it waits for another process
    try:
        allowed = int(environ.get(_INTERVAL, "0"))
    except ValueError:
        return None
    return allowed / 2e6 if allowed > 0 else None
