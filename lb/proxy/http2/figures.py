"""What one worker counts of its HTTP/2 connections. It knows numbers, and not what they are counted for."""

from __future__ import annotations

from lb.http.h2_errors import NO_ERROR


class Http2Figures:
    """`sessions` counts connections, `refused` requests beyond those that a connection may have under way, `goaways`
    connections that were told to end, `errors` those that were ended for what the client did.
    """

    __slots__ = ("errors", "goaways", "refused", "resets_by_clients", "resets_by_us", "sessions")

    def __init__(self) -> None:
        self.sessions = self.refused = self.resets_by_clients = self.resets_by_us = self.goaways = self.errors = 0

    def failed(self, code: int) -> None:
        """A connection was ended for this reason."""
        if code != NO_ERROR:
            self.errors += 1

    def cells(self) -> tuple[tuple[str, int], ...]:
        """Each counter's cell in shared memory, and its value."""
        return (
            ("http2_connections_total", self.sessions),
            ("http2_refused_total", self.refused),
            ("http2_resets_by_clients", self.resets_by_clients),
            ("http2_resets_by_us", self.resets_by_us),
            ("http2_goaways_total", self.goaways),
            ("http2_errors_total", self.errors),
        )
