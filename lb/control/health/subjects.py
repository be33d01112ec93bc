"""A configuration → whom to ask, what, and by which rules."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from lb import __version__
from lb.config.model import App, Config, Environment
from lb.config.names import CATCH_ALL, is_staging, shared_names
from lb.control.health.probe import Subject
from lb.control.health.question import Question
from lb.control.health.verdict import Rules
from lb.routing.health import ABSENT, HealthTable
from lb.routing.members import instance_key
from lb.routing.watched import Watched, watched

PING = "/__engine/1/ping"
"""What apps with the platform's SDK answer (A1); without `health_uri` it is asked for beside the home page."""


def subjects(config: Config, table: HealthTable) -> Iterator[Subject]:
    """Everyone who is to be asked, as far as it has an address."""
    for one in watched(config):
        if one.section.is_checked:
            yield from _subjects_of(one, config, table)


def _subjects_of(one: Watched, config: Config, table: HealthTable) -> Iterator[Subject]:
    for key in one.keys:
        row = table.find(key)
        condition = table.read(row)
        host = condition.host if condition is not None else ""
        if one.address.is_name and (condition is None or condition.state == ABSENT):
            continue
        title = instance_key(one.title, host)
        yield Subject(row, title, host, _question(one, host or one.address.host, config), _rules(one.section))


def _rules(section: Environment) -> Rules:
    return Rules(section.health_interval, section.health_passes, section.health_fails, section.health_start_period)


def _question(one: Watched, host: str, config: Config) -> Question:
    section, address = one.section, one.address
    family, where = socket.AF_UNIX, address.path
    if not address.path:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return Question(
        family,
        where or (host, section.health_port or address.port),
        (section.health_uri,) if section.health_uri else (PING, "/"),
        _fields(one, config),
        section.health_status,
        section.health_timeout,
    )


def _fields(one: Watched, config: Config) -> bytes:
    """What a client's request would say: apps refuse hosts that are not theirs (Django's ALLOWED_HOSTS) and redirect
    what did not come over HTTPS (its SECURE_SSL_REDIRECT).
    """
    domain = _domain(one.environment, config.apps[one.app], config.shared_domain, one.app)
    host = domain or ("localhost" if one.address.path else one.address.text)
    through_cdn = any(bound.cdn for bound in config.apps[one.app].domains)
    scheme = "https" if config.listen.https or through_cdn else "http"
    return (
        f"Host: {host}\r\n"
        f"User-Agent: lb-health/{__version__}\r\n"
        "Accept: */*\r\n"
        f"X-Forwarded-Proto: {scheme}\r\n"
        "Connection: close\r\n"
    ).encode()


def _domain(environment: str, app: App, shared_domain: str | None, name: str) -> str:
    """A domain that leads to the environment, one without wildcard if there is one; "" if there is none."""
    staging = environment == "staging"
    names = [bound.name for bound in app.domains if bound.name != CATCH_ALL]
    if shared_domain is not None:
        names += shared_names(name, shared_domain)
    names = [bound for bound in names if is_staging(bound) == staging]
    exact = [bound for bound in names if not bound.startswith("*.")]
    return exact[0] if exact else next((bound.replace("*", "www", 1) for bound in names), "")
