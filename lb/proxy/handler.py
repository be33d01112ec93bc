"""What a client's connection and one to an instance are there for together: whom both tell what happens to them.

An exchange is one: a request and its response, which are read. A tunnel is one: bytes that go both ways unread. Who
tells holds the conversation by a name of his own, since it may end in that call and nobody else knows it then.
"""

from __future__ import annotations

from lb.errors import ProxyError
from lb.process.remaining import REQUEST


class Handler:
    """All that can happen to the two connections; here none of it means anything."""

    __slots__ = ()

    def start(self) -> None:
        """It begins."""

    def fail(self, error: ProxyError) -> None:
        """End it with this error."""

    def cut(self) -> None:
        """End it now, in as orderly a way as there is: the service, or this worker, must not wait for it any longer."""

    def describe(self) -> tuple[str, bytes, bytes]:
        """What it is, as a kind of `remaining`, its app and its environment; the latter are empty if not known yet."""
        return REQUEST, b"", b""

    # Told by the client's connection

    def request_data(self) -> None:
        """The client has sent more than was read."""

    def client_drained(self) -> None:
        """The client has taken what was queued for it."""

    def client_ended(self) -> bool:
        """The client has shut its side; whether it may still wait for an answer."""
        return False

    def client_late(self) -> None:
        """The time is over in which the client was to send something, or to be served."""

    def client_stopped(self) -> None:
        """The client has not taken anything for too long."""

    def client_severed(self) -> None:
        """The client broke the connection while nothing was read from it."""

    def probe_client(self) -> None:
        """The client has shut its side: send something by which it is told from one that has left."""

    def client_gone(self) -> None:
        """The client's connection is no more."""

    # Asked by it

    def is_waiting(self) -> bool:
        """Whether it stands in the queue for an instance."""
        return False

    def awaits_client(self) -> bool:
        """Whether the next thing to happen is up to the client."""
        return False

    def client_patience(self) -> float:
        """Seconds that the client, or its request, has for what is to happen next."""
        return 60.0

    # Told by the connection to the instance

    def upstream_connected(self) -> None:
        """The connection is made."""

    def upstream_refused(self, error: int) -> None:
        """It could not be made, for this errno."""

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
