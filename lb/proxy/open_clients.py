"""What the open connections of a worker are asked, or told, together. It knows them by what handles them, and walks all
of them: nothing here is for every request.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from lb.process.remaining import CONNECTION, Share, count_shares

if TYPE_CHECKING:
    from lb.proxy.handler import Handler

_IDLE = ((CONNECTION, b"", b""),)


class OpenClient(Protocol):
    """A client's connection."""

    @property
    def handler(self) -> Handler | None: ...


def shares_of(clients: Iterable[OpenClient]) -> list[Share]:
    """What is open: how many of each kind and app."""
    handlers = (client.handler for client in clients)
    return count_shares(
        share for handler in handlers for share in (_IDLE if handler is None else handler.describe_all())
    )


def send_away(clients: Iterable[OpenClient]) -> None:
    """Tell those that can be told to use another connection: those that speak HTTP/2."""
    for client in list(clients):
        handler = client.handler
        if handler is not None:
            handler.go_away()
