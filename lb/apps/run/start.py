"""Launch an instance and wait until it is healthy. What failed is ended; a port that was taken is tried once more."""

from __future__ import annotations

from pathlib import Path

from lb.apps.run.instance import LaunchedInstance, launch
from lb.apps.run.order import InstanceOrder
from lb.apps.run.start_check import StartCheck, StartClock, StartFailed, wait_until_healthy


async def start_instance(
    order: InstanceOrder, run_root: Path, check: StartCheck, clock: StartClock | None = None
) -> LaunchedInstance:
    """A healthy instance, or StartFailed or LaunchError with nothing left of it (also if it is cancelled)."""
    try:
        return await _start(order, run_root, check, clock)
    except StartFailed as failed:
        if not failed.report.again:
            raise
    return await _start(order, run_root, check, clock)


async def _start(order: InstanceOrder, run_root: Path, check: StartCheck, clock: StartClock | None) -> LaunchedInstance:
    running = await launch(order, run_root)
    try:
        if order.listens:
            await wait_until_healthy(running, check, clock)
    except BaseException:
        await running.kill()
        running.forget()
        raise
    return running
