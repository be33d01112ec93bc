"""Lets a request pass that brings the user and the password of a line in a file (HTTP Basic, RFC 7617).

An unknown user costs as much time as a known one with a wrong password. Each verification counts against its client
until the password has turned out to be right: so a client may guess as often as `_GUESSES` says, and as many at once.
It knows the request and the file; how passwords are verified is for the checker to know.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from lb.errors import ProxyError
from lb.http.basic_credentials import basic_credentials
from lb.proxy.exchange.admission import origin
from lb.routing.auth_rules import BasicAuthRule
from lb.routing.rate_limit import RateLimit

if TYPE_CHECKING:
    from lb.proxy.guards.guarded import Guarded, Guards
    from lb.proxy.guards.services import GuardServices

_GUESSES = RateLimit(interval=5.0, burst=20)
_GUESSING = 0x2545F4914F6CDD1D  # derives a key of its own for a client: guesses are counted apart from requests
_TIMEOUT = 30.0


class PasswordGuard:
    """The question about one request."""

    __slots__ = ("_counted", "_guards", "_is_known", "_mark", "_request", "_rule", "_services", "timeout")

    def __init__(self, rule: BasicAuthRule, request: Guarded, guards: Guards, services: GuardServices) -> None:
        self._rule = rule
        self._request = request
        self._guards: Guards | None = guards
        self._services = services
        self._mark = b""
        self._is_known = False
        self._counted = 0  # the key of the client that a guess was counted for
        self.timeout = _TIMEOUT

    def begin(self) -> bool:
        request = self._request
        brought = basic_credentials(request.head.kept)
        if brought is None:
            raise self._refusal("authentication_required")
        user, password = brought
        now = request.engine.poller.now
        checker = self._services.passwords
        file = self._services.files.find(self._rule.file, now)
        known = file.of(user)
        self._is_known = known is not None
        if known is None:
            known = file.stand_in(user, checker.secret)
        if known is None:
            raise self._refusal("authentication_failed")  # of a file without users
        self._mark = checker.mark(known, user, password)
        if self._is_known and checker.remembers(self._mark, now):
            return True
        if not checker.is_running(self._mark):
            self._count(now)
        try:
            checker.verify(self._mark, known, password, self._told)
        except ProxyError:
            self._discount()
            raise
        return False

    def late(self) -> ProxyError:
        return ProxyError("authentication_busy")

    def leave(self) -> None:
        self._guards = None

    def _count(self, now: float) -> None:
        """Count a guess. Raises ProxyError: authentication_limit_reached."""
        request = self._request
        engine = request.engine
        client = engine.clients.key(origin(request.info, request.head, request.route, request.snapshot))
        key = (client ^ _GUESSING) or _GUESSING
        early = engine.rate_limiter.take(key, now, _GUESSES)
        if early > 0.0:
            raise ProxyError("authentication_limit_reached", retry_after=ceil(early))
        self._counted = key

    def _discount(self) -> None:
        if self._counted:
            engine = self._request.engine
            engine.rate_limiter.give_back(self._counted, engine.poller.now, _GUESSES)

    def _told(self, is_right: bool | None) -> None:
        guards = self._guards
        if is_right and self._is_known:
            self._discount()
            self._services.passwords.remember(self._mark, self._request.engine.poller.now)
            if guards is not None:
                guards.passed()
        elif guards is not None:
            if is_right is None:
                guards.failed(ProxyError("proxy_internal_error"))
            else:
                guards.failed(self._refusal("authentication_failed"))

    def _refusal(self, cause: str) -> ProxyError:
        return ProxyError(cause, fields=((b"WWW-Authenticate", self._rule.challenge),))
