"""What was counted by the predecessors of this service, which may still be counting.

After an upgrade the predecessors' last requests end in their own time, so their counts are not final yet. They are
summed in their memory whenever they are read, and become numbers when the predecessors are gone. Their names are their
own: another version of the program counts other things.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


def column_sums(cells: memoryview, width: int) -> list[int]:
    """The sums over all rows of a slab's cells: the first cell says how many rows were ever used, each of `width`
    cells.
    """
    rows = min(cells[0], (len(cells) - 1) // width)
    return [sum(cells[1 + place : 1 + rows * width : width]) for place in range(width)]


@dataclass(frozen=True, slots=True)
class PredecessorCounters:
    """A predecessor's slab: `cells` with these `names`, of which `gauges` describe the present. `owner` is its
    supervisor's process id, `memory` an open descriptor of it.
    """

    owner: int
    memory: int
    cells: memoryview
    names: Sequence[str]
    gauges: frozenset[str]

    def is_open(self) -> bool:
        """Whether its owner lives. If another process has the number now, it is settled later."""
        try:
            os.kill(self.owner, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def total(self) -> dict[str, int]:
        """The sums by name; gauges count as zero once the owner is gone."""
        ended = frozenset() if self.is_open() else self.gauges
        sums = zip(self.names, column_sums(self.cells, len(self.names)), strict=True)
        return {name: count for name, count in sums if name not in ended}


@dataclass(frozen=True, slots=True)
class InheritedCounters:
    """`settled` are the sums of those that are gone, by name; `ledgers` are those of the others."""

    settled: Mapping[str, int] = field(default_factory=dict)
    ledgers: Sequence[PredecessorCounters] = ()

    def total(self) -> Counter[str]:
        """All counts, by name."""
        total = Counter(self.settled)
        for ledger in self.ledgers:
            total.update(ledger.total())
        return total

    def by_now(self) -> InheritedCounters:
        """The same, with the sums settled of all that have gone meanwhile."""
        still = [ledger for ledger in self.ledgers if ledger.is_open()]
        ended = [ledger for ledger in self.ledgers if ledger not in still]
        return InheritedCounters(InheritedCounters(self.settled, ended).total(), still)
