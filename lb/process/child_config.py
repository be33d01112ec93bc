"""What a reload changes for one running child, beside the plan: its title, and where it listens.

The supervisor sends it to the child together with the plan. Sockets cannot be named by descriptors, which differ
between processes; inode numbers are the same everywhere while the sockets are open.
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
class ChildConfig:
    """`listeners` are all sockets that the child serves, (scheme, inode); `left` are sockets of addresses that are
    given up, so that connections waiting in them must be accepted now. `https_port` is where redirects lead; `workers`
    is how many share the work; `urls` are the addresses of apps in words.
    """

    title: str
    https_port: int | None
    workers: int
    listeners: tuple[tuple[bytes, int], ...]
    left: frozenset[int]
    urls: tuple[str, ...]


def inode(sock: socket.socket) -> int:
    """The number that identifies this socket in every process."""
    return os.fstat(sock.fileno()).st_ino


def compile_for_worker(
    plan: Plan, registry: Registry, https_port: int | None, workers: int
) -> tuple[Snapshot, RegistryPlan]:
    """The snapshot for one of `workers` workers, and what must be committed before it is used."""
    registry_plan = registry.plan()
    answer = Challenges(*challenge_directories(plan.config.tls)).answer
    return compile_snapshot(plan, answer, registry_plan, https_port, workers), registry_plan


def present(contexts: Contexts, plan: TlsPlan, sources: Sources) -> Presented:
    """The certificates to present. Raises TlsError for unusable files of the configuration; those of the store are
    replaced automatically.
    """
    return contexts.prepare(sources.files, handshake_policy(plan), sources.more())


def sources_of(contexts: Contexts, plan: TlsPlan) -> Sources:
    """The certificates available for a configuration."""
    return Sources(plan, contexts.presented.shelf)
