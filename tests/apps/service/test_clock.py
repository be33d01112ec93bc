"""The machine's clocks."""

from __future__ import annotations

import time

from lb.apps.service.clock import SystemClock


async def test_the_clock_of_this_boot_goes_on_and_the_boot_has_a_name() -> None:
    clock = SystemClock()
    before, wall = clock.boot(), clock.now()
    await clock.sleep(0.001)
    assert clock.boot() >= before + 0.001
    assert abs(wall - time.time()) < 60
    assert clock.boot_id()
    assert clock.boot_id() == SystemClock().boot_id()
