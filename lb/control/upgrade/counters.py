"""The counters so far, as text for a successor, which may be another version of the program.

A slab is passed as an open descriptor, since workers count in it until they end: the text names the descriptor and its
cells. Unknown counters are left out of the successor's metrics, and passed on.
"""

from __future__ import annotations

import json
import mmap
import os
from typing import Any

from lb.telemetry.counters import GAUGES, NAMES, Slab
from lb.telemetry.inherited_counters import InheritedCounters, PredecessorCounters


def write_down(slab: Slab) -> tuple[bytes, tuple[int, ...]]:
    """The text, and the descriptors it names: the slab's own, and those of predecessors that still count."""
    earlier = slab.earlier.by_now()
    own = _entry(os.getpid(), slab.memory, NAMES, GAUGES)
    others = [_entry(one.owner, one.memory, one.names, one.gauges) for one in earlier.ledgers]
    slabs = [own, *others]
    text = json.dumps({"settled": earlier.settled, "slabs": slabs}).encode()
    return text, tuple(entry["memory"] for entry in slabs)


def read_back(text: bytes) -> InheritedCounters:
    """What `write_down` wrote. Raises ValueError, TypeError, KeyError, AttributeError or OSError for something else."""
    said = json.loads(text)
    settled = {name: int(count) for name, count in said["settled"].items()}
    return InheritedCounters(settled, [_ledger(entry) for entry in said["slabs"]])


def _entry(owner: int, memory: int, names: Any, gauges: Any) -> dict[str, Any]:
    return {"owner": owner, "memory": memory, "names": list(names), "gauges": sorted(gauges)}


def _ledger(entry: dict[str, Any]) -> PredecessorCounters:
    memory = entry["memory"]
    os.set_inheritable(memory, False)
    cells = memoryview(mmap.mmap(memory, 0, access=mmap.ACCESS_READ)).cast("q")
    return PredecessorCounters(entry["owner"], memory, cells, tuple(entry["names"]), frozenset(entry["gauges"]))
