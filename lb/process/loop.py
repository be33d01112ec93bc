"""Creates the event loop: the only file that names uvloop.

uvloop if it is installed, else asyncio's own loop, which is slower and otherwise the same.
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
    """A loop that logs unhandled exceptions and continues: one exchange's failure must not affect others."""
    loop: asyncio.AbstractEventLoop = _loops.new_event_loop()
    loop.set_exception_handler(_log_exception)
    return loop


def _log_exception(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if isinstance(error, type) and issubclass(error, BaseException):
        error = error()  # some transports pass the class
    if not isinstance(error, BaseException):
        error = None
    log.error("%s", context.get("message") or "unhandled exception in the event loop", exc_info=error)
