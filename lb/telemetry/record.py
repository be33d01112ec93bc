"""What is told about a finished exchange: the facts of one access-log line. Knows neither formats nor where they go."""

from __future__ import annotations

from collections.abc import Callable

from lb.http.head import RequestHead


class Record:
    """The facts. `sent` and `received` count body bytes; `duration` is in seconds; `cause` is an error's code, or
    None when all went well.
    """

    __slots__ = (
        "app",
        "cause",
        "client",
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

    def __init__(self) -> None:
        self.client = b""
        self.scheme = b""
        self.method = b""
        self.host = b""
        self.target = b""
        self.app = b""
        self.environment = b""
        self.instance = b""
        self.request_id = b""
        self.user_agent = b""
        self.referer = b""
        self.minor = 1
        self.status = 0
        self.received = 0
        self.sent = 0
        self.duration = 0.0
        self.cause: str | None = None

    def of_request(self, head: RequestHead) -> None:
        """Take over what a request's head says."""
        self.method = head.method
        self.target = head.target
        self.host = head.host
        self.minor = head.minor
        self.user_agent = head.user_agent()
        self.referer = head.referer()


LineFormat = Callable[[Record, bytes], bytes]
"""Makes a log line of a record and the time as that format has it."""
