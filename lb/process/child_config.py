"""What a configuration means to one child that is already running: what it is called from now on, and where it listens.

It travels from the supervisor to the child beside the configuration's plan. Sockets cannot be named by descriptors,
which are different in every process; their inode numbers are the same everywhere, for as long as they are open.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from lb.config.plan import Plan, TlsPlan
from lb.routing.compile import compile_snapshot
from lb.routing.registry import Registry, RegistryPlan
from lb.routing.snapshot import Snapshot
from lb.tls.files.http01 import Challenges
from lb.tls.files.sources import Sources, challenge_directories, handshake_policy
from lb.tls.handshake.contexts import Contexts
from lb.tls.handshake.sni_map import Presented


@dataclass(frozen=True, slots=True)
class Revision:
    """`listeners` are all that the child is to serve, (scheme, inode); `left` are sockets of addresses that nobody
    listens on any more, so that what waits in them must be accepted now. `https_port` is where redirects lead;
    `workers` how many share the work; `urls` is where apps are served, in words.
    """

    title: str
    https_port: int | None
    workers: int
    listeners: tuple[tuple[bytes, int], ...]
    left: frozenset[int]
    urls: tuple[str, ...]


def inode(sock: socket.socket) -> int:
    """By what number every process that has this socket knows it."""
    return os.fstat(sock.fileno()).st_ino


def compile_for_worker(
    plan: Plan, registry: Registry, https_port: int | None, workers: int
) -> tuple[Snapshot, RegistryPlan]:
    """The snapshot of one of `workers` workers, and what is to be committed before it is used."""
    registry_plan = registry.plan()
    answer = Challenges(*challenge_directories(plan.config.tls)).answer
    return compile_snapshot(plan, answer, registry_plan, https_port, workers), registry_plan


def present(contexts: Contexts, plan: TlsPlan, sources: Sources) -> Presented:
    """What is to be presented. Raises TlsError for files of the configuration that cannot be used; those of the store
    are replaced by themselves.
    """
    return contexts.prepare(sources.files, handshake_policy(plan), sources.more())


def sources_of(contexts: Contexts, plan: TlsPlan) -> Sources:
    """Which certificates there are for a configuration."""
    return Sources(plan, contexts.presented.shelf)
