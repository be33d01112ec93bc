"""A configuration → whom to ask, what, and by which rules."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

from lb import __version__
from lb.config.model import App, Config, EnvironmentSettings
from lb.config.names import CATCH_ALL, is_staging, shared_names
from lb.health.check import Question
from lb.health.probe import Subject
from lb.health.state import Rules
from lb.routing.health_keys import WatchedInstance, watched
from lb.routing.health_table import ABSENT, HealthTable
from lb.routing.members import instance_key

PING = "/__engine/1/ping"
"""What apps with the platform's SDK answer (A1); asked for beside the home page by those who ask for a 2xx of no path
in particular: by that rule deployed apps are judged.
"""

_ALIVE = ("2xx", "3xx", "4xx")
"""Any answer that is not a server's failure: `health_checks: on` by itself knows nothing of the app."""


def subjects(config: Config, table: HealthTable) -> Iterator[Subject]:
    """Everyone who is to be asked, as far as it has an address."""
    plans: dict[tuple[str, str], _Plan] = {}
    for one in watched(config):
        plan = plans.get((one.app, one.environment))
        if plan is None:
            plan = plans[one.app, one.environment] = _plan(one, config)
        if plan.is_checked:
            yield from _subjects_of(one, plan, table)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What all instances of an environment are asked alike; `domain` is "" for one without any."""

    is_checked: bool
    domain: str
    fields: str
    uris: tuple[str, ...]
    statuses: tuple[str, ...]
    rules: Rules


def _plan(one: WatchedInstance, config: Config) -> _Plan:
    section, app = one.section, config.apps[one.app]
    through_cdn = any(bound.cdn for bound in app.domains)
    return _Plan(
        section.is_checked,
        _domain(one.environment, app, config.shared_domain, one.app),
        f"User-Agent: lb-health/{__version__}\r\n"
        "Accept: */*\r\n"
        f"X-Forwarded-Proto: {'https' if config.listen.https or through_cdn else 'http'}\r\n"
        "Connection: close\r\n",
        _uris(section),
        _statuses(section),
        Rules(section.health_interval, section.health_passes, section.health_fails, section.health_start_period),
    )


def _uris(section: EnvironmentSettings) -> tuple[str, ...]:
    if section.health_uri is not None:
        return (section.health_uri,)
    return ("/", PING) if section.health_status == ("2xx",) else ("/",)


def _statuses(section: EnvironmentSettings) -> tuple[str, ...]:
    if section.health_status:
        return section.health_status
    return ("2xx",) if section.health_uri is not None else _ALIVE


def _subjects_of(one: WatchedInstance, plan: _Plan, table: HealthTable) -> Iterator[Subject]:
    for key in one.keys:
        row = table.find(key)
        condition = table.read(row)
        host = condition.host if condition is not None else ""
        if one.address.is_name and (condition is None or condition.state == ABSENT):
            continue
        title = instance_key(one.title, host)
        group = (one.app, one.environment)
        yield Subject(row, title, host, _question(one, plan, host or one.address.host), plan.rules, group)


def _question(one: WatchedInstance, plan: _Plan, host: str) -> Question:
    """It says what a client's request would: apps refuse hosts that are not theirs (Django's ALLOWED_HOSTS) and
    redirect what did not come over HTTPS (its SECURE_SSL_REDIRECT).
    """
    section, address = one.section, one.address
    name = plan.domain or ("localhost" if address.path else address.text)
    return Question(
        socket.AF_UNIX if address.path else socket.AF_INET6 if ":" in host else socket.AF_INET,
        address.path or (host, section.health_port or address.port),
        plan.uris,
        f"Host: {name}\r\n{plan.fields}".encode(),
        plan.statuses,
        section.health_timeout,
        name,
    )


def _domain(environment: str, app: App, shared_domain: str | None, name: str) -> str:
    """A domain that leads to the environment, one without wildcard if there is one; "" if there is none."""
    staging = environment == "staging"
    names = [bound.name for bound in app.domains if bound.name != CATCH_ALL]
    if shared_domain is not None:
        names += shared_names(name, shared_domain)
    names = [bound for bound in names if is_staging(bound) == staging]
    exact = [bound for bound in names if not bound.startswith("*.")]
    return exact[0] if exact else next((bound.replace("*", "www", 1) for bound in names), "")
