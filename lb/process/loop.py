"""Where the event loop is made: the only file that names uvloop.

uvloop where it is installed, else asyncio's own loop: slower, and the same otherwise.
"""

from __future__ import annotations

import asyncio
import logging
from types import ModuleType
from typing import Any

_loops: ModuleType
try:
    import uvloop as _loops
except ImportError:
    _loops = asyncio

log = logging.getLogger("lb.worker")


def loop_name() -> str:
    """`uvloop 0.23.0`, or `asyncio`."""
    return "asyncio" if _loops is asyncio else f"uvloop {_loops.__version__}"


def new_loop() -> asyncio.AbstractEventLoop:
    """A loop that logs what nobody caught and goes on: one exchange's fault must not cost the others theirs."""
    loop: asyncio.AbstractEventLoop = _loops.new_event_loop()
    loop.set_exception_handler(_log_exception)
    return loop


def _log_exception(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if isinstance(error, type) and issubclass(error, BaseException):
        error = error()  # transports have been seen to hand over the class
    if not isinstance(error, BaseException):
        error = None
    log.error("%s", context.get("message") or "unhandled exception in the event loop", exc_info=error)
