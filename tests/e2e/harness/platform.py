"""A front door and an engine for several apps, as a machine has them: each app with a domain of its own name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.harness.certificates import Authority, tls_config
from tests.e2e.harness.client import Client, get, post
from tests.e2e.harness.door import Config, FrontDoor
from tests.e2e.harness.engine import Done, EngineHome
from tests.e2e.harness.load import Outcomes, load, newcomers
from tests.e2e.harness.waiting import wait_for
from tests.e2e.harness.wire import Response

_PAUSE = 0.02  # seconds between two requests of a client


def domain_of(app: str) -> str:
    return f"{app}.example.com"


@dataclass(frozen=True)
class AppDomain:
    """Where clients of an app connect to, by TLS."""

    door: FrontDoor
    authority: Authority
    app: str

    def connect(self) -> Client:
        return self.door.connect_tls(self.authority.context(), domain_of(self.app))


@dataclass
class Platform:
    """Both, running."""

    door: FrontDoor
    home: EngineHome
    authority: Authority

    def deploy(self, app: str, folder: Path, *more: str) -> Done:
        """Deploys it to production unless `more` says where; the command must succeed."""
        done = self.try_deploy(app, folder, *more)
        assert done.code == 0, done.err + done.out
        return done

    def try_deploy(self, app: str, folder: Path, *more: str) -> Done:
        return self.home.lb("deploy", app, str(folder), *(more or ("--prod",)))

    def command(self, *words: str) -> Done:
        """A command that must succeed."""
        done = self.home.lb(*words)
        assert done.code == 0, done.err + done.out
        return done

    def domain(self, app: str) -> AppDomain:
        return AppDomain(self.door, self.authority, app)

    def ask(self, app: str, path: str = "/", *lines: str) -> Response:
        with self.domain(app).connect() as client:
            return client.ask(get(path, *lines, host=domain_of(app)))

    def text(self, app: str, path: str = "/") -> str:
        response = self.ask(app, path)
        assert response.status == 200, (response.status, response.body)
        return response.body.decode()

    @contextmanager
    def steady_load(self, app: str, clients: int = 3) -> Iterator[list[Outcomes]]:
        """Keep-alive clients, clients that come once, and clients that send what must not be sent twice: some hundred
        requests a second, so that what is built and started beside has its share of the processor.
        """
        host, domain = domain_of(app), self.domain(app)
        with ExitStack() as stack:
            kept = stack.enter_context(load(domain, get("/", host=host), clients, _PAUSE))
            once = stack.enter_context(newcomers(domain, get("/", host=host), 1, _PAUSE))
            posted = stack.enter_context(load(domain, post("/", b"a=b", host=host), 1, _PAUSE))
            found = [kept, once, posted]
            wait_for(lambda: all(sum(one.values()) for one in found), "the load to begin")
            yield found

    def ps(self, app: str, environment: str = "production") -> dict[str, Any]:
        shown = self.command("ps", app, "--json").json["environments"]
        found: dict[str, Any] = next(one for one in shown if one["environment"] == environment)
        return found

    def wait_drained(self, app: str, patience: float = 60.0) -> None:
        wait_for(lambda: not self.ps(app)["retiring"], f"the old version of {app} to end", patience)


def assert_unharmed(outcomes: list[Outcomes], least: int = 20) -> None:
    """Every request was answered with 200, and there were some."""
    assert [dict(one) for one in outcomes if set(one) != {"200"}] == []
    assert sum(one.total() for one in outcomes) >= least


@contextmanager
def platform(
    apps: Mapping[str, Config],
    *,
    isolation: str = "none",
    hurried: bool = True,
    index: Path | None = None,
    engine: Config | None = None,
    **top: Any,
) -> Iterator[Platform]:
    """`apps` are the keys of each app's production beside `deploy`; with `index`, a directory of wheels, packages come
    from there alone.
    """
    home = EngineHome(hurried=hurried, longest_drain=5.0)
    if index is not None:
        alone = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index), "PIP_CONFIG_FILE": "/dev/null"}
        home.variables = {**alone, "PIP_EXTRA_INDEX_URL": "", "PIP_CONSTRAINT": ""}
    authority = Authority(home.root)
    config: Config = {
        "listen": {"http": "127.0.0.1:0", "https": "127.0.0.1:0"},
        "tls": tls_config(authority.issue("*.example.com")),
        "workers": 2,
        "engine": {"directory": str(home.directory), "isolation": isolation, **(engine or {})},
        "apps": {
            app: {"domains": [domain_of(app)], "production": {"deploy": True, **keys}} for app, keys in apps.items()
        },
        **top,
    }
    home.file.write_text(json.dumps(config), encoding="utf-8")
    with home, FrontDoor(config, home.root, env={"XDG_RUNTIME_DIR": str(home.runtime)}) as door:
        yield Platform(door, home, authority)
