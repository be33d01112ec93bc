"""A front door and an engine for one file, in one directory: deployed apps behind the product itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.e2e.harness.client import get
from tests.e2e.harness.door import Config, FrontDoor
from tests.e2e.harness.engine import Done, EngineHome
from tests.e2e.harness.waiting import wait_for
from tests.e2e.harness.wire import Response

PRODUCTION, STAGING = "shop.example.com", "stg-shop.example.com"
TO_PRODUCTION, TO_STAGING = get("/", host=PRODUCTION), get("/", host=STAGING)


@dataclass
class DeployedDoor:
    """Both, running."""

    door: FrontDoor
    home: EngineHome

    def deploy(self, version: str, *more: str, **project: Any) -> Done:
        """A version that must be deployed without a fault."""
        done = self.home.deploy(self.home.project(version, **project), *(more or ("--prod",)))
        assert done.code == 0, done.err + done.out
        return done

    def ask(self, request: bytes = TO_PRODUCTION) -> Response:
        return self.door.ask(request)

    def wait_version(self, version: str, request: bytes = TO_PRODUCTION) -> None:
        wait_for(lambda: self.ask(request).body.startswith(version.encode()), f"version {version} to serve")
        self.wait_followed("staging" if request is TO_STAGING else "production")

    def wait_followed(self, environment: str = "production") -> None:
        """Until all workers go by what the engine has said last."""

        def is_followed() -> bool:
            found = self.status(environment)
            return bool(found["generation"] == found["followed"])

        wait_for(is_followed, "all workers to follow")

    def status(self, environment: str = "production") -> dict[str, Any]:
        """What `lb status --json` says of it."""
        done = self.home.lb("status", str(self.home.file), "--json")
        assert done.code == 0, done.err
        found: dict[str, Any] = done.json["apps"]["shop"][environment]["deployed"]
        return found

    def wait_state(self, state: str, environment: str = "production") -> None:
        wait_for(lambda: self.status(environment)["state"] == state, f"{environment} to be {state}", 30.0)

    def instances(self, environment: str = "production") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.status(environment)["instances"]
        return found

    def wait_instances(self, count: int, environment: str = "production") -> list[dict[str, Any]]:
        wait_for(lambda: len(self.instances(environment)) == count, f"{count} instances", 30.0)
        return self.instances(environment)


def configure_deployed(home: EngineHome, production: Config, staging: Config, **top: Any) -> Config:
    """A configuration of one app `shop`, run by the engine in `home`, which tests start themselves."""
    return {
        "listen": {"http": "127.0.0.1:0"},
        "workers": 2,
        "engine": {"directory": str(home.directory), "isolation": "none", "start": False},
        "apps": {"shop": {"domains": [PRODUCTION, STAGING], "production": production, "staging": staging}},
        **top,
    }


@contextmanager
def deployed_door(
    production: Config | None = None, staging: Config | None = None, *, env: dict[str, str] | None = None, **top: Any
) -> Iterator[DeployedDoor]:
    """An engine and a front door; their keys beside `deploy`."""
    home = EngineHome()
    environments = ({"deploy": True, **(keys or {})} for keys in (production, staging))
    config = configure_deployed(home, *environments, **top)
    home.file.write_text(json.dumps(config), encoding="utf-8")
    with home, FrontDoor(config, home.root, env={"XDG_RUNTIME_DIR": str(home.runtime), **(env or {})}) as door:
        yield DeployedDoor(door, home)


@contextmanager
def upgraded_door(production: Config) -> Iterator[DeployedDoor]:
    """The same for a door that is upgraded: whatever is left of it and its successor is killed."""
    home = EngineHome()
    config = configure_deployed(home, {"deploy": True, **production}, {"deploy": True})
    home.file.write_text(json.dumps(config), encoding="utf-8")
    with home:
        door = FrontDoor(config, home.root, env={"XDG_RUNTIME_DIR": str(home.runtime)})
        try:
            yield DeployedDoor(door, home)
        finally:
            door.kill()
