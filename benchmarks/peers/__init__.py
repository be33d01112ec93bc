"""The proxies that are compared, one file each, in the order of the table's columns."""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers.base import Peer
from benchmarks.peers.caddy import Caddy
from benchmarks.peers.haproxy import HAProxy
from benchmarks.peers.lb import Lb
from benchmarks.peers.nginx import Nginx

NAMES = ("lb", "nginx", "haproxy", "caddy")


def make_peers(names: tuple[str, ...], lb_python: Path) -> tuple[Peer, ...]:
    """The peers called `names`, in the order given. Raises KeyError for an unknown name."""
    known: dict[str, Peer] = {"lb": Lb(lb_python), "nginx": Nginx(), "haproxy": HAProxy(), "caddy": Caddy()}
    return tuple(known[name] for name in names)
