"""The commands that a service takes from other processes over its control socket."""

from __future__ import annotations

from enum import StrEnum


class Command(StrEnum):
    """What may be asked."""

    STATUS = "status"
    RELOAD = "reload"
    UPGRADE = "upgrade"
    RELEASE_ADMIN = "release admin"
    """Asked by a service that starts, of one of the same file that drains: for its admin address."""
