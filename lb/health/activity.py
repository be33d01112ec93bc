"""What all workers together see of deployed environments: sums over their pages, and what was counted by those that
have ended.

The sums are put on the summary page: metrics and status find them there, and the next health process goes on from it.
This file adds up. It must not know the engine, nor who is told.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

from lb.process.scoreboard import Board, WorkerState
from lb.telemetry.deployed_figures import DeployedFigures, EnvironmentTotals, InstanceTotals, Totals, environment_key

Name = tuple[str, str]


class ActivityTotals:
    """`board` says which workers there are; times are seconds of the monotonic clock."""

    def __init__(self, board: Board, figures: DeployedFigures, now: float) -> None:
        self._board = board
        self._figures = figures
        self._used: dict[bytes, float] = {}
        self._pages: dict[tuple[int, int], Totals] = {}  # by slot and process, as they were last
        self._ended: dict[tuple[bytes, str], InstanceTotals] = {}  # counted by workers that have ended
        self._begun = now
        self._is_first = True

    def used(self, name: Name, now: float) -> None:
        """It begins to serve: the time without a request runs from now."""
        self._used[environment_key(*name)] = now

    def collect(self, placed: Mapping[Name, frozenset[str]], now: float) -> dict[Name, EnvironmentTotals]:
        """Of each of these environments; instances that are not in the set `placed` of theirs are named while something
        of them is open.
        """
        workers = [worker for worker in self._board.workers() if worker.pid]
        pages = {}
        for worker in workers:
            process, totals = self._figures.page(worker.slot).load()
            if process == worker.pid:
                pages[worker.slot, worker.pid] = totals
            elif (before := self._pages.get((worker.slot, worker.pid))) is not None:
                pages[worker.slot, worker.pid] = before
        self._take_leave(pages)
        found = {name: self._sum(environment_key(*name), workers, pages, ids) for name, ids in placed.items()}
        if self._is_first:
            self._go_on(found)
        for name, one in found.items():
            self._look_whether_used(environment_key(*name), one, pages, now)
        self._is_first = False
        self._pages = pages
        self._figures.summary.store({environment_key(*name): one for name, one in found.items()}, os.getpid())
        return found

    def _take_leave(self, pages: Mapping[tuple[int, int], Totals]) -> None:
        """What workers counted that have ended, or forgot since an instance was retired, is kept here."""
        for place, before in self._pages.items():
            after = pages.get(place, {})
            for key, one in before.items():
                there = after[key].instances if key in after else {}
                for identity, totals in one.instances.items():
                    now = there.get(identity)
                    if now is None or now.requests < totals.requests:
                        kept = self._ended.get((key, identity), InstanceTotals())
                        self._ended[key, identity] = kept + totals.closed

    def _sum(
        self,
        key: bytes,
        workers: list[WorkerState],
        pages: Mapping[tuple[int, int], Totals],
        placed: frozenset[str],
    ) -> EnvironmentTotals:
        told = [pages.get((worker.slot, worker.pid), {}).get(key) for worker in workers]
        ready = [one for one, worker in zip(told, workers, strict=True) if worker.ready or one is not None]
        total = EnvironmentTotals(min((0 if one is None else one.generation for one in ready), default=0))
        sums: dict[str, InstanceTotals] = dict.fromkeys(placed, InstanceTotals())
        for one in told:
            if one is not None:
                total.waiting += one.waiting
                total.counted += one.counted
                for identity, totals in one.instances.items():
                    sums[identity] = sums.get(identity, InstanceTotals()) + totals
        for identity, totals in sums.items():
            if identity in placed or totals.is_busy:
                total.instances[identity] = totals + self._ended.get((key, identity), InstanceTotals())
            else:
                self._ended.pop((key, identity), None)
        return total

    def _go_on(self, found: dict[Name, EnvironmentTotals]) -> None:
        """What the health process before had counted is not counted anew."""
        _, before = self._figures.summary.load()
        for name, one in found.items():
            key = environment_key(*name)
            if (known := before.get(key)) is None:
                continue
            self._used[key] = self._begun - known.idle
            for identity, totals in one.instances.items():
                earlier = known.instances.get(identity, InstanceTotals())
                if earlier.requests > totals.requests:
                    more = InstanceTotals(
                        0,
                        0,
                        earlier.requests - totals.requests,
                        max(earlier.seconds - totals.seconds, 0.0),
                        max(earlier.failures - totals.failures, 0),
                    )
                    self._ended[key, identity] = more
                    one.instances[identity] = replace(totals + more)

    def _look_whether_used(
        self, key: bytes, one: EnvironmentTotals, pages: Mapping[tuple[int, int], Totals], now: float
    ) -> None:
        for place, totals in pages.items():
            counted = totals[key].counted if key in totals else 0
            before = self._pages.get(place, {}).get(key)
            if not self._is_first and counted > (before.counted if before is not None else 0):
                self._used[key] = now
        if one.waiting or any(totals.is_busy for totals in one.instances.values()):
            self._used[key] = now
        one.idle = max(now - self._used.setdefault(key, self._begun), 0.0)
