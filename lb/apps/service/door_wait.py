"""Waits until the front door goes by a placement, so that a request after a command's end meets what it has done.

This file knows how long is long enough. It must not know what was changed.
"""

from __future__ import annotations

import asyncio

from lb.apps.service.door_figures import DoorFigures
from lb.apps.service.reconciler import Reconciler

FOLLOWED_WITHIN = 5.0  # seconds; workers look four times a second


async def wait_until_followed(life: Reconciler, figures: DoorFigures) -> str:
    """Returns "" once all workers follow the environment's latest placement, or no front door is connected; after a
    while a sentence that says they do not.
    """
    following = asyncio.ensure_future(figures.wait_followed(life.app, life.environment, life.record.generation))
    late = asyncio.ensure_future(life.around.clock.sleep(FOLLOWED_WITHIN))
    try:
        await asyncio.wait((following, late), return_when=asyncio.FIRST_COMPLETED)
        if following.done():
            return ""
    finally:
        following.cancel()
        late.cancel()
    return f"the front door has not followed within {FOLLOWED_WITHIN:g} s; lb status shows its workers"
