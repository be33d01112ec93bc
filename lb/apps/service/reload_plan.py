"""What a changed configuration does to deployed apps, in sentences: before it happens (`lb check`), and when it does.

Pure: it compares two configurations, and is told what runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lb.apps.service.directory import ENVIRONMENTS
from lb.config.model import Config, EnvironmentSettings
from lb.config.suggest import all_of

# A change of one of these needs instances to be started anew.
_BOUND_AT_START = ("count", "memory", "cpus", "quota", "network", "logs", "stop_timeout")

IsRunning = Callable[[str, str], bool]


def keys_that_restart(before: EnvironmentSettings, after: EnvironmentSettings) -> list[str]:
    """The changed settings for which instances have to be started anew."""
    return [key for key in _BOUND_AT_START if getattr(before, key) != getattr(after, key)]


def taken_away(title: str) -> str:
    return f"{title} is no longer deployed: its instances drain and end; releases and data stay"


def added(title: str, app: str) -> str:
    return f"{title} is deployed from now on: lb deploy {app} starts it"


def restarted(title: str, keys: list[str]) -> str:
    return f"{title} restarts its instances one by one, for changed {all_of(keys)}"


def planned_changes(before: Config, after: Config, is_running: IsRunning) -> Iterator[str]:
    """What a reload does."""
    for app in dict.fromkeys([*before.apps, *after.apps]):
        for environment in ENVIRONMENTS:
            old, new = (_settings(one, app, environment) for one in (before, after))
            title = f"app {app} {environment}"
            if old.deploy and not new.deploy:
                yield taken_away(title)
            elif new.deploy and not old.deploy:
                yield added(title, app)
            elif new.deploy and is_running(app, environment) and (keys := keys_that_restart(old, new)):
                yield restarted(title, keys)


def _settings(config: Config, app: str, environment: str) -> EnvironmentSettings:
    """Those of an environment that is not there deploy nothing."""
    if app not in config.apps:
        return EnvironmentSettings()
    section = config.apps[app].production if environment == "production" else config.apps[app].staging
    return section if section is not None else EnvironmentSettings()
