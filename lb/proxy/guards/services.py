"""What guards of one worker share: verified passwords, password files, and connections to authentication services.

Made when the first request needs it: a worker without guards has none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lb.proxy.guards.auth_service import AuthService
from lb.proxy.guards.password_checker import PasswordChecker
from lb.proxy.guards.password_files import PasswordFiles
from lb.routing.auth_rules import ForwardAuthRule

if TYPE_CHECKING:
    from lb.proxy.engine import Engine

_MOST = 64  # services; more are those of former configurations


class GuardServices:
    """The services of one engine."""

    __slots__ = ("_engine", "_services", "files", "passwords")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.passwords = PasswordChecker(engine.poller.loop)
        self.files = PasswordFiles()
        self._services: dict[tuple[str, int], AuthService] = {}

    def service(self, rule: ForwardAuthRule) -> AuthService:
        """The service that this rule asks."""
        key = rule.host, rule.port
        found = self._services.get(key)
        if found is None:
            if len(self._services) >= _MOST:
                self._services = {key: one for key, one in self._services.items() if one.busy}
            found = self._services[key] = AuthService(self._engine, rule.host, rule.port)
        return found

    def close(self) -> None:
        """The worker ends."""
        self.passwords.close()


def services_of(engine: Engine) -> GuardServices:
    """Those of this engine."""
    if engine.guards is None:
        engine.guards = GuardServices(engine)
    services: GuardServices = engine.guards
    return services
