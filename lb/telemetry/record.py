"""The facts of a finished exchange, for one access-log line. Knows neither formats nor where they go."""

from __future__ import annotations

from lb.http.head import RequestHead
from lb.http.refused import Refused

HTTP2 = 2
"""The `minor` of a request over HTTP/2."""


class Record:
    """The facts, all of them to be filled in by the creator. `sent` and `received` count body bytes; `duration` is in
    seconds; `minor` is the minor version of HTTP/1, or `HTTP2`; `cause` is an error's code, or None if all went well:
    then `detail` is not read; it says what exactly was wrong, b"" if there is nothing to add.
    """

    __slots__ = (
        "app",
        "cause",
        "client",
        "detail",
        "duration",
        "environment",
        "host",
        "instance",
        "method",
        "minor",
        "received",
        "referer",
        "request_id",
        "scheme",
        "sent",
        "status",
        "target",
        "user_agent",
    )

    app: bytes
    cause: str | None
    client: bytes
    detail: bytes
    duration: float
    environment: bytes
    instance: bytes
    received: int
    request_id: bytes
    scheme: bytes
    sent: int
    status: int

    def of_request(self, head: RequestHead) -> None:
        """Copy what a request's head says."""
        self.method = head.method
        self.target = head.target
        self.host = head.host
        self.minor = head.minor
        self.user_agent = head.user_agent()
        self.referer = head.referer()

    def of_none(self) -> None:
        """For input that could not be read as a request."""
        self.method = self.target = self.host = self.user_agent = self.referer = b""
        self.minor = 1

    def of_refused(self, refused: Refused) -> None:
        """Copy what is known of a request that could not be read whole."""
        self.method = refused.method
        self.target = refused.target
        self.host = refused.host
        self.minor = 1
        self.user_agent = refused.user_agent
        self.referer = refused.referer
