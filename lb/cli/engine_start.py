"""`lb serve` starts the engine itself where its configuration has deployed apps and nobody else does.

It is detached: it is no child of the front door, and goes on when that ends. Under systemd it is a service of its own
(config/lb-engine.service), since apps would be confined like the front door otherwise. This file knows how a process is
detached. What the engine is it leaves to `lb engine start`.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from lb.apps.service.engine_socket import find_engine
from lb.config.plan import Plan

log = logging.getLogger("lb.cli")

_STDOUT = 1


def start_engine_if_needed(plan: Plan, file: Path, environ: Mapping[str, str]) -> bool:
    """Whether it was begun; how that goes it says on stderr itself."""
    if not plan.health.deployed or not plan.health.starts_engine or not _is_missing(file, environ):
        return False
    if "NOTIFY_SOCKET" in environ:
        log.warning("no engine runs for %s: start its service, or run lb engine start %s", file, file)
        return False
    _detach([sys.executable, "-P", "-m", "lb", "engine", "start", str(file.absolute())])
    return True


def _is_missing(file: Path, environ: Mapping[str, str]) -> bool:
    try:
        connection = find_engine(file, environ)
    except OSError:  # it is another user's, or has no time
        return False
    if connection is not None:
        connection.close()
    return connection is None


def _detach(command: list[str]) -> None:
    """Runs it as nobody's child, with its stdout thrown away."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.dup2(os.open(os.devnull, os.O_WRONLY), _STDOUT)
        os.execv(command[0], command)  # noqa: S606  this same program
    finally:
        os._exit(1)
