"""The kinds of processes that a supervisor starts."""

from __future__ import annotations

from enum import StrEnum


class ProcessKind(StrEnum):
    """What a process is for. Workers serve; all others assist them, and the service lives without one of those."""

    WORKER = "worker"
    HEALTH = "health"
    CERTIFICATES = "certificates"
    ADMIN = "admin"
    JOB = "job"
    """Does one thing and ends: it is no part of the service."""


PARTS = (ProcessKind.WORKER, ProcessKind.HEALTH, ProcessKind.CERTIFICATES, ProcessKind.ADMIN)
"""What a service consists of, beside the supervisor: these are replaced when they end."""
