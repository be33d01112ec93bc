"""The supervisor's side of a changed configuration: the next edition, not in use yet.

Making it does everything that can fail. After that it is either put in place or given up; in between, the service runs
unchanged. `coordinator` sends the messages.
"""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable, Collection, Sequence
from functools import partial

from lb.control.reload.generation import (
    Generation,
    SharedState,
    addresses_of,
    admin_addresses_of,
    compile_first,
    try_access_log,
)
from lb.control.reload.steps import Reading
from lb.health.dns import apply_found
from lb.process.child_config import present, sources_of
from lb.process.scoreboard import MOST_SLOTS
from lb.process.start_error import StartError
from lb.sockets.diff import SocketDiff, rebind


class BuiltGeneration:
    """The edition that follows the previous one. Raises StartError or TlsError; nothing has changed then.

    `busy` are the slots of living workers, retiring ones included; `adopt` is called when it is put in place.
    """

    def __init__(
        self,
        ground: SharedState,
        before: Generation,
        reading: Reading,
        workers: int,
        busy: Collection[int],
        adopt: Callable[[Generation], None],
    ) -> None:
        self.plan = plan = reading.plan
        config = plan.config
        self.unchanged = config == before.plan.config
        self._ground = ground
        self._adopt = adopt
        try_access_log(config.access_log)
        sources = sources_of(ground.contexts, plan.tls)
        self._presented = present(ground.contexts, plan.tls, sources)
        slots = _slots(before.slots, busy, workers)
        self._rebound = rebind(before.bound, addresses_of(config.listen), workers)
        try:
            self._admin = rebind(before.admin, admin_addresses_of(config.admin), 1)
        except StartError:
            self._rebound.give_up()
            raise
        try:
            snapshot, registry = compile_first(
                plan, ground.table, self._rebound.bound, workers, partial(apply_found, found=reading.found)
            )
        except StartError:
            self.give_up()
            raise
        left = self._rebound.left + self._admin.left
        self.edition = Generation(
            plan, self._rebound.bound, self._admin.bound, slots, snapshot, registry, sources, left
        )
        self.roles = self.edition.roles(ground)

    @property
    def sockets(self) -> list[socket.socket]:
        return [*self.edition.left, *(sock for rebound in self._both for sock in rebound.new)]

    def listen(self) -> None:
        for rebound in self._both:
            rebound.listen()

    def put_in_place(self) -> None:
        self._ground.contexts.switch(self._presented)
        self._ground.board.assign(self.edition.slots)
        self._adopt(self.edition)

    def finish(self) -> None:
        for rebound in self._both:
            rebound.close_left()
        gc.collect()
        gc.freeze()  # as at the start, so that children share the pages

    def give_up(self) -> None:
        for rebound in self._both:
            rebound.give_up()

    @property
    def _both(self) -> tuple[SocketDiff, SocketDiff]:
        return self._rebound, self._admin


def _slots(before: Sequence[int], busy: Collection[int], workers: int) -> tuple[int, ...]:
    """The workers that stay keep their slots; others get free ones. Raises StartError if there are too few."""
    kept = tuple(before[:workers])
    taken = {*before, *busy}
    free = [slot for slot in range(MOST_SLOTS) if slot not in taken]
    if len(free) < workers - len(kept):
        raise StartError(f"{len(busy)} workers still serve earlier configurations; try again when some have ended")
    return kept + tuple(free[: workers - len(kept)])
