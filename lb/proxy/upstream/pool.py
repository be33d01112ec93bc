"""Which idle connection to an instance a request may use, and which one is closed when another is to be made.

An instance closes idle connections when it likes (gunicorn after 2 s, uvicorn after 5), so a request that must not be
repeated uses one only while it is fresh, and after a check of its socket; how long it stays fresh is learnt from each
instance (F2). Connections return to the pool by `Upstream.release`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lb.routing.instance import PROOF, Instance

if TYPE_CHECKING:
    from lb.proxy.upstream.connection import Upstream


def take_idle(instance: Instance, unsafe: bool, now: float) -> Upstream | None:
    """The freshest idle connection to `instance`, or None. `unsafe`: for a request that must not be sent twice."""
    idle = instance.idle
    if not idle:
        return None
    upstream: Upstream = idle[-1]  # type: ignore[assignment]
    if unsafe:
        if not instance.keeps_idle:
            # Until one connection has been seen to stay open, this instance may be one that closes after each response.
            oldest: Upstream = idle[0]  # type: ignore[assignment]
            if now - oldest.idle_since < PROOF:
                return None
            instance.kept_idle()
        if now - upstream.idle_since > instance.keep_alive or upstream.is_stale():
            return None
    instance.take_newest()
    upstream.left_pool()
    return upstream


def may_connect(instance: Instance) -> bool:
    """Whether one more connection to `instance` may be made (`limits.instance_connections`). Idle ones count: if there
    is no room, the oldest of them are closed.
    """
    if instance.limit == 0:
        return True
    while instance.connections >= instance.limit:
        if not instance.idle:
            return False
        oldest: Upstream = instance.idle[0]  # type: ignore[assignment]
        oldest.abort()  # which takes it out of here
    return True
