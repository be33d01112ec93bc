"""The guards of one request that take time, one after the other: all of them have to let it pass.

It knows the order, and what becomes of the request; what each of them asks, and whom, is their own business. A request
that is over meanwhile leaves, and is told nothing any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lb.errors import ProxyError
from lb.http.reply import Reply
from lb.proxy.guards.guarded import Guard, Guarded
from lb.proxy.guards.password_guard import PasswordGuard
from lb.proxy.guards.service_guard import ServiceGuard
from lb.proxy.guards.services import services_of
from lb.routing.auth_rules import AuthRule, BasicAuthRule


class Gate:
    """The guards that `rules` ask for, before one request."""

    __slots__ = ("_guard", "_left", "_request")

    def __init__(self, request: Guarded, rules: Sequence[AuthRule]) -> None:
        self._request = request
        self._left = list(rules)[::-1]
        self._guard: Guard | None = None

    def open(self) -> bool:
        """Ask until there is something to wait for; whether all have let it pass. Raises ProxyError."""
        while self._left:
            self._guard = guard = self._made(self._left.pop())
            if not guard.begin():
                return False
        self._guard = None
        return True

    def timeout(self) -> float:
        """Seconds that what is asked now may take."""
        return self._guard.timeout if self._guard is not None else 0.0

    def late(self) -> ProxyError:
        """Why nothing was decided in time."""
        return self._guard.late() if self._guard is not None else ProxyError("proxy_internal_error")

    def leave(self) -> None:
        """The request is over."""
        guard = self._guard
        self._guard = None
        if guard is not None:
            guard.leave()

    # Told by the guard that had to wait. Whoever tells it has others to tell, so nothing is raised.

    def passed(self) -> None:
        self._safely(self._go_on)

    def failed(self, error: ProxyError) -> None:
        self._safely(lambda: self._request.fail(error))

    def answered(self, reply: Reply, cause: str | None) -> None:
        self._safely(lambda: self._request.turn_back(reply, cause))

    def _go_on(self) -> None:
        request = self._request
        try:
            if self.open():
                request.let_in()
            else:
                request.client.arm()  # the next has a time of its own
        except ProxyError as error:
            request.fail(error)

    def _safely(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - it must not cost others theirs
            self._request.engine.broken(self._request.client, error)

    def _made(self, rule: AuthRule) -> Guard:
        services = services_of(self._request.engine)
        if isinstance(rule, BasicAuthRule):
            return PasswordGuard(rule, self._request, self, services)
        return ServiceGuard(rule, self._request, self, services)
