"""Whether this process may open as many descriptors as the configured number of connections needs: for `lb check`, for
a reload, and for the banner of a service that starts.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator

from lb.config.load import Loaded
from lb.config.model import Listen
from lb.config.problems import Problem
from lb.control.service import workers_of
from lb.proxy.descriptors import connections_within

_FEW = 1000  # connections: with fewer even the default, which nobody asked for, is worth a warning
_HINT = "raise the limit of open files (LimitNOFILE= in the systemd unit, ulimit -n in a shell), or lower the number"


def descriptor_warnings(loaded: Loaded) -> list[Problem]:
    """A warning, where fewer connections can be served than the file says."""
    limits, workers = loaded.config.limits, workers_of(loaded.config.workers)
    allowed, descriptors = _allowed(loaded.config.listen, workers)
    wanted = limits.connections
    if allowed >= wanted:
        return []
    place = ("limits", "connections")
    text = f"a process may open {descriptors} descriptors here, enough for {_connections(allowed, workers)}"
    if "connections" in limits.model_fields_set:
        return [loaded.origin.problem(place, f"{text}, not {wanted}", _HINT, "warning")]
    if allowed < _FEW:
        return [loaded.origin.key_problem(place, f"{text} (limits.connections is {wanted})", _HINT, "warning")]
    return []


def descriptor_lines(listen: Listen, workers: int, wanted: int) -> Iterator[str]:
    """A line, where fewer connections are served than are `wanted`."""
    allowed, descriptors = _allowed(listen, workers)
    if allowed < wanted:
        yield (
            f"{_connections(allowed, workers)} at most, not {wanted} (limits.connections): a process "
            f"may open {descriptors} descriptors (LimitNOFILE=, ulimit -n)"
        )


def _allowed(listen: Listen, workers: int) -> tuple[int, int]:
    """How many connections all workers together may have, and how many descriptors each of them may open."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)  # workers raise theirs to it
    descriptors = hard if hard != resource.RLIM_INFINITY else 1 << 30
    listeners = len(listen.http) + len(listen.https)
    return workers * connections_within(descriptors, listeners), descriptors


def _connections(allowed: int, workers: int) -> str:
    return f"{allowed} client connections" + (f" in {workers} workers" if workers > 1 else "")
