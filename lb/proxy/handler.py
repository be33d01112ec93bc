"""What a client's connection and one to an instance serve together, and report events to.

An exchange is one: a request and its response, which are read. A tunnel is one: bytes that pass both ways unread. The
caller holds the handler in a local variable, since it may end in that call and there may be no other reference.
"""

from __future__ import annotations

from lb.errors import ProxyError
from lb.process.remaining import REQUEST


class Handler:
    """All that can happen to the two connections; here none of it has an effect."""

    __slots__ = ()

    def start(self) -> None:
        """It begins."""

    def fail(self, error: ProxyError) -> None:
        """End it with this error."""

    def cut(self) -> None:
        """End it now, in as orderly a way as there is: the service, or this worker, must not wait for it any longer."""

    def describe(self) -> tuple[str, bytes, bytes]:
        """What it is: a kind of `remaining`, its app and its environment; the latter are empty if not known yet."""
        return REQUEST, b"", b""

    def describe_all(self) -> list[tuple[str, bytes, bytes]]:
        """The same for each request under way, where a connection can have several."""
        return [self.describe()]

    def go_away(self) -> None:
        """The connection is to end soon, by what its client does: there is another process for its next requests."""

    # Called by the client's connection

    def request_data(self) -> None:
        """The client has sent more than was read."""

    def client_drained(self) -> None:
        """The client has taken what was queued for it."""

    def client_ended(self) -> bool:
        """The client has shut its side; returns whether it may still wait for an answer."""
        return False

    def client_late(self) -> None:
        """The client has not sent something, or was not served, in time."""

    def client_stopped(self) -> None:
        """The client has taken nothing for too long."""

    def client_severed(self) -> None:
        """The client broke the connection while it was not being read."""

    def probe_client(self) -> None:
        """The client has shut its side: send something that tells whether it is gone."""

    def client_gone(self) -> None:
        """The client's connection is closed."""

    # Queried by it

    def is_waiting(self) -> bool:
        """Whether it stands in the queue for an instance, or before a guard."""
        return False

    def awaits_client(self) -> bool:
        """Whether the client has to act next."""
        return False

    def client_timeout(self) -> float:
        """Seconds until the client, or its waiting request, times out."""
        return 0.0

    def may_be_spared(self) -> bool:
        """Whether no request is under way, and there has been one."""
        return False

    def can_go(self) -> bool:
        """Whether no request is lost if the connection is closed."""
        return False

    # Called by the connection to the instance

    def upstream_connected(self) -> None:
        """The connection is made."""

    def upstream_refused(self, error: int) -> None:
        """It could not be made; `error` is the errno."""

    def upstream_drained(self) -> None:
        """The instance has taken what was queued for it."""

    def response_data(self) -> None:
        """The instance has sent something."""

    def upstream_ended(self) -> None:
        """The instance has closed its side."""

    def upstream_lost(self) -> None:
        """The connection to the instance broke."""

    def upstream_late(self) -> None:
        """The instance's time is over."""
