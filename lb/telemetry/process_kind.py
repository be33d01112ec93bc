"""The kinds of processes that a supervisor starts."""

from __future__ import annotations

from enum import StrEnum


class ProcessKind(StrEnum):
    """What a process is for. Workers serve; all others assist, and the service survives without any of those."""

    WORKER = "worker"
    HEALTH = "health"
    CERTIFICATES = "certificates"
    ADMIN = "admin"
    JOB = "job"
    """Does one job and exits: not a part of the service."""


PARTS = (ProcessKind.WORKER, ProcessKind.HEALTH, ProcessKind.CERTIFICATES, ProcessKind.ADMIN)
"""What a service consists of, beside the supervisor: these are replaced when they exit."""
