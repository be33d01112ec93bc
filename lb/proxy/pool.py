"""Which idle connection to an instance a request may have.

An instance closes idle connections when it likes (gunicorn after 2 s, uvicorn after 5), so one is trusted with a
request that must not be repeated only while it is fresh, and after a look at its socket; how long fresh is, is learnt
from each instance (F2). Connections return to the pool by `Upstream.release`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lb.routing.instance import PROOF, Instance

if TYPE_CHECKING:
    from lb.proxy.upstream import Upstream


def take_idle(instance: Instance, unsafe: bool, now: float) -> Upstream | None:
    """The freshest idle connection to `instance`, or None. `unsafe`: for a request that must not be sent twice."""
    idle = instance.idle
    if not idle:
        return None
    upstream: Upstream = idle[-1]  # type: ignore[assignment]
    if unsafe:
        if not instance.keeps_idle:
            # Until one connection has been seen to stay open, this instance may be one that closes behind each
            # response.
            oldest: Upstream = idle[0]  # type: ignore[assignment]
            if now - oldest.idle_since < PROOF:
                return None
            instance.keeps_idle = True
        if now - upstream.idle_since > instance.keep_alive or upstream.is_stale():
            return None
    idle.pop()
    upstream.pooled = False
    return upstream
