"""The commands that a service takes from other processes over its control socket."""

from __future__ import annotations

from enum import StrEnum


class Command(StrEnum):
    """The commands by name."""

    STATUS = "status"
    RELOAD = "reload"
    UPGRADE = "upgrade"
    RELEASE_ADMIN = "release admin"
    """Sent by a starting service to a draining one of the same file, which then gives up its admin address."""
