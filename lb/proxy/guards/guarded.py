"""What guards know of a request: as much of an exchange as they use. This file holds names only."""

from __future__ import annotations

from typing import Protocol

from lb.errors import ProxyError
from lb.http.head import RequestHead
from lb.http.reply import Reply
from lb.proxy.client_info import ClientInfo
from lb.proxy.downstream import Downstream
from lb.proxy.engine import Engine
from lb.routing.route import Route
from lb.routing.snapshot import Snapshot


class Guarded(Protocol):
    """A request that waits for its guards. `head` may be replaced by one with other fields."""

    engine: Engine
    client: Downstream
    info: ClientInfo
    head: RequestHead
    route: Route
    snapshot: Snapshot

    def identity(self) -> bytes:
        """The request's identifier."""

    def let_in(self) -> None:
        """Every guard has let it pass."""

    def fail(self, error: ProxyError) -> None:
        """It does not pass."""

    def turn_back(self, reply: Reply, cause: str | None) -> None:
        """It does not pass, and this is the answer; `cause` is that of an error, for the log."""


class Guards(Protocol):
    """Who hears from a guard that had to wait."""

    def passed(self) -> None:
        """The guard lets the request pass."""

    def failed(self, error: ProxyError) -> None:
        """It does not, for this cause."""

    def answered(self, reply: Reply, cause: str | None) -> None:
        """It does not, and this is the answer."""


class Guard(Protocol):
    """One question about a request. `timeout` is how many seconds it may take."""

    timeout: float

    def begin(self) -> bool:
        """Ask; whether the request may pass at once. Else `Guards` is told later. Raises ProxyError."""

    def late(self) -> ProxyError:
        """Why there is no answer yet, although the time is over."""

    def leave(self) -> None:
        """The request is over: nothing is told any more."""
