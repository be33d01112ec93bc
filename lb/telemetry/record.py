"""What is told about a finished exchange: the facts of one access-log line. Knows neither formats nor where they go."""

from __future__ import annotations

from lb.http.head import RequestHead
from lb.http.refused import Refused


class Record:
    """The facts, all of them for whoever makes one to fill in. `sent` and `received` count body bytes; `duration` is in
    seconds; `cause` is an error's code, or None when all went well: then nobody asks for `detail`, which says what in
    particular was wrong, b"" if there is nothing to add.
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
        """Take over what a request's head says."""
        self.method = head.method
        self.target = head.target
        self.host = head.host
        self.minor = head.minor
        self.user_agent = head.user_agent()
        self.referer = head.referer()

    def of_none(self) -> None:
        """What came could not be read as a request."""
        self.method = self.target = self.host = self.user_agent = self.referer = b""
        self.minor = 1

    def of_refused(self, refused: Refused) -> None:
        """Take over what came of a request that could not be read whole."""
        self.method = refused.method
        self.target = refused.target
        self.host = refused.host
        self.minor = 1
        self.user_agent = refused.user_agent
        self.referer = refused.referer
