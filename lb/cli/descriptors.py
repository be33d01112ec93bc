"""Whether this process may open enough descriptors for the configured number of connections: for `lb check`, a reload,
and the banner at start.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator

from lb.config.load import Loaded
from lb.config.model import Listen
from lb.config.problems import Problem
from lb.control.service import workers_of
from lb.proxy.descriptors import connections_within

_FEW = 1000  # connections: with fewer, even a default limit that was not configured is worth a warning
_HINT = "raise the limit of open files (LimitNOFILE= in the systemd unit, ulimit -n in a shell), or lower the number"


def descriptor_warnings(loaded: Loaded) -> list[Problem]:
    """A warning if fewer connections can be served than the file says."""
    limits, workers = loaded.config.limits, workers_of(loaded.config.workers)
    allowed, descriptors = _allowed(loaded.config.listen, workers)
    wanted = limits.connections
    if allowed >= wanted:
        return []
    place = ("limits", "connections")
    text = f"a process may open {descriptors} descriptors, enough for {_connections(allowed, workers)}"
    if "connections" in limits.model_fields_set:
        return [loaded.origin.problem(place, f"{text}, not {wanted}", _HINT, "warning")]
    if allowed < _FEW:
        return [loaded.origin.key_problem(place, f"{text} (limits.connections is {wanted})", _HINT, "warning")]
    return []


def descriptor_lines(listen: Listen, workers: int, wanted: int) -> Iterator[str]:
    """A line if fewer connections can be served than `wanted`."""
    allowed, descriptors = _allowed(listen, workers)
    if allowed < wanted:
        yield (
            f"at most {_connections(allowed, workers)}, not {wanted} (limits.connections): a process "
            f"may open {descriptors} descriptors (LimitNOFILE=, ulimit -n)"
        )


def _allowed(listen: Listen, workers: int) -> tuple[int, int]:
    """How many connections all workers may have together, and how many descriptors each may open."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)  # workers raise their soft limit to it
    descriptors = hard if hard != resource.RLIM_INFINITY else 1 << 30
    listeners = len(listen.http) + len(listen.https)
    return workers * connections_within(descriptors, listeners), descriptors


def _connections(allowed: int, workers: int) -> str:
    return f"{allowed} client connections" + (f" in {workers} workers" if workers > 1 else "")
